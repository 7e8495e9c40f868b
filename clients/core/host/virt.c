/* A machine on bare metal: rv32imc, qemu's board `virt`, a UART as its line to the server, the queue in RAM.
 *
 * Shakes hands, presses, starts again as if the power had gone before the acknowledgement was written, so that the press goes
 * out twice; then holds polls for a minute, and tells the results of what they bring. Says what it does by semihosting.
 * `tests/clients/test_chip.py` builds and runs it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/ozone.h"

#define RAM_RECORDS 4
#include "ram_store.h"

#define UART ((volatile uint8_t *)0x10000000)
#define TIME ((volatile uint32_t *)0x0200bff8) /* of the CLINT, 10 MHz, low and high word */
enum { RECEIVED = 1, EMPTY = 32, LINE_STATUS = 5, LIMIT_MS = 60000 };

static oz_device device;
static int open_line(void *self, const char *host, uint16_t port, uint32_t budget) {
    (void)self, (void)host, (void)port, (void)budget;
    return 1;
}

static int write_line(void *self, const void *bytes, size_t length) {
    size_t count = 0;
    (void)self;
    while (count < length && UART[LINE_STATUS] & EMPTY) UART[0] = ((const uint8_t *)bytes)[count++];
    return (int)count;
}

static int read_line(void *self, void *into, size_t room) {
    size_t count = 0;
    (void)self;
    while (count < room && UART[LINE_STATUS] & RECEIVED) ((uint8_t *)into)[count++] = UART[0];
    return (int)count;
}

static void close_line(void *self) { (void)self; }

static uint32_t milliseconds(void *self) {
    uint32_t high, low;
    (void)self;
    do {
        high = TIME[1];
        low = TIME[0];
    } while (high != TIME[1]);
    return (uint32_t)(((uint64_t)high << 32 | low) / 10000);
}

static void random_bytes(void *self, void *into, size_t length) { /* of a board that has no hardware for it, and one life */
    (void)self;
    for (size_t i = 0; i < length; i++) ((uint8_t *)into)[i] = (uint8_t)(TIME[0] >> 3 ^ i * 37);
}

static bool handle(void *self, const oz_command *command, oz_result *result) {
    (void)self;
    result->success = true;
    strcpy(result->message, "on bare metal");
    printf("command %s\n", command->type);
    return true;
}

static void until(bool (*done)(void), const char *what) {
    uint32_t began = milliseconds(NULL);
    while (!done() || device.phase) {
        oz_tick(&device, 50);
        if (milliseconds(NULL) - began < LIMIT_MS) continue;
        printf("no %s: %s\n", what, oz_why(&device));
        exit(1);
    }
    printf("%s after %lu ms\n", what, (unsigned long)(milliseconds(NULL) - began));
}

static bool is_sent(void) { return oz_state_of(&device) == OZ_ONLINE && !oz_queued(&device); }

int main(void) {
    static const oz_store store = {NULL, ram_append, ram_replace, ram_next};
    static const oz_transport net = {NULL, open_line, write_line, read_line, close_line};
    static const oz_settings settings = {.host = "127.0.0.1", .port = 80, .mac = "EC:E3:34:46:2B:C0", .firmware = "bare-metal",
                                         .held_poll_s = 20, .handler = handle};
    static const oz_platform platform = {.millis = milliseconds, .random = random_bytes};
    for (int start = 0; start < 2; start++) {
        if (oz_begin(&device, &settings, &platform, &store, &net) != OZ_OK) return 2;
        if (!start && oz_press(&device, OZ_BASIC, 1, NULL) != OZ_OK) return 3;
        until(is_sent, start ? "the press again" : "the press");
    }
    for (uint32_t began = milliseconds(NULL); milliseconds(NULL) - began < LIMIT_MS;) oz_tick(&device, 50);
    return 0;
}
