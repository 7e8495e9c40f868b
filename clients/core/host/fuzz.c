/* Any bytes as a server's replies: the whole device reads them, over a store in memory and a clock of its own.
 *
 * For libFuzzer; with -DOZ_OWN_FUZZER a program by itself, for compilers without it:
 *
 *     fuzz RUNS SEED FILE…     mutates the files' contents RUNS times
 *
 * The first byte says what the device is and how the bytes come in, all others are replies, one behind another.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/ozone.h"

#define RAM_RECORDS 4
#include "ram_store.h"

enum { PRESSES = 3 };

#define CHECK(what) \
    do { \
        if (!(what)) { \
            fprintf(stderr, "fuzz.c:%d: %s\n", __LINE__, #what); \
            abort(); \
        } \
    } while (0)

static const uint8_t *replies;
static size_t left, piece;
static uint32_t clock_ms;
static oz_device device;

static int replace(void *self, uint32_t slot, const void *bytes, size_t length) {
    CHECK(slot < RAM_SLOTS && length <= RAM_SLOT);
    return ram_replace(self, slot, bytes, length);
}

static int open_net(void *self, const char *host, uint16_t port, uint32_t budget) {
    (void)self, (void)host, (void)port, (void)budget;
    return 1;
}

/* What is asked has one head, whatever the server said before. */
static int write_net(void *self, const void *bytes, size_t length) {
    (void)self;
    const char *end = NULL, *text = bytes;
    for (size_t i = 0; i + 3 < length && !end; i++)
        if (!memcmp(text + i, "\r\n\r\n", 4)) end = text + i;
    CHECK(end && (!strncmp(text, "GET /", 5) || !strncmp(text, "POST /", 6)));
    int lines = 0;
    for (const char *at = text; at < end; at++) lines += *at == '\n';
    CHECK(lines == 1 + (device.me.token[0] != 0) + (*text == 'P' ? 2 : 0));
    return (int)length;
}

static int read_net(void *self, void *into, size_t room) {
    (void)self;
    size_t count = left < piece ? left : piece;
    if (!left) return -1;
    if (count > room) count = room;
    memcpy(into, replies, count);
    replies += count;
    left -= count;
    return (int)count;
}

static void close_net(void *self) { (void)self; }

static uint32_t milliseconds(void *self) {
    (void)self;
    return clock_ms;
}

static uint32_t utc(void *self) {
    (void)self;
    return 1800000000;
}

static void random_bytes(void *self, void *into, size_t length) {
    (void)self;
    memset(into, 7, length);
}

static bool handle(void *self, const oz_command *command, oz_result *result) {
    (void)self;
    CHECK(strlen(command->id) < OZ_COMMAND_ID && strlen(command->type) < 32 && *command->payload == '{');
    result->success = strlen(command->payload) % 2;
    memset(result->message, 'm', sizeof result->message);
    return command->type[0] != 'U';
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length) {
    static const oz_store store = {NULL, ram_append, replace, ram_next};
    static const oz_transport net = {NULL, open_net, write_net, read_net, close_net};
    oz_settings settings = {.host = "server", .port = 80, .mac = "EC:E3:34:46:2B:C0", .poll_ms = 1000, .handler = handle};
    oz_platform platform = {.millis = milliseconds, .random = random_bytes, .utc = utc};
    if (length < 2 || length > 16384) return 0;
    uint8_t how = *bytes;
    bool replied = false;
    for (size_t i = 1; i + 6 < length; i++) replied |= !memcmp(bytes + i, "HTTP/1", 6);
    replies = bytes + 1;
    left = length - 1;
    piece = how & 1 ? 1 : how & 2 ? 100 : 4096;
    if (how & 4) settings.kind = OZ_METER;
    if (how & 4) settings.claim_token = "claim";
    if (how & 8) platform.utc = NULL;
    if (how & 16) settings.held_poll_s = 20;
    settings.drop_oldest = how & 64;
    record_count = 0;
    memset(slots, 0, sizeof slots);
    clock_ms = 1000;
    CHECK(oz_begin(&device, &settings, &platform, &store, &net) == OZ_OK);
    if (how & 32) CHECK(oz_adopt(&device, "EC:E3:34:46:2B:C0", "a-token-of-its-own") == OZ_OK);
    for (uint32_t i = 1; i <= PRESSES; i++)
        CHECK((how & 4 ? oz_reading(&device, "{\"v\":1}") : oz_press(&device, OZ_BASIC, i, NULL)) == OZ_OK);
    for (int tick = 0; tick < 400 && left; tick++) {
        oz_tick(&device, 50);
        clock_ms += tick % 16 ? 100 : 60000;
        if (tick == 20) oz_press(&device, OZ_PREMIUM, 1, NULL); /* or there is no room: with `drop_oldest` it makes some */
    }
    CHECK(oz_queued(&device) <= PRESSES + 1);
    CHECK(replied || oz_queued(&device) >= PRESSES); /* nothing is passed that no reply has answered */
    CHECK(!device.me.token[0] || !strpbrk(device.me.token, "\r\n "));
    CHECK(!strpbrk(device.me.device_id, "/?#%\\\r\n "));
    CHECK(!device.me.token[0] || strlen(device.me.token) < 8 || !strstr(oz_why(&device), device.me.token));
    return 0;
}

#ifdef OZ_OWN_FUZZER
enum { LONGEST = 8192, FILES = 64 };

static uint64_t state;

static uint32_t chance(uint32_t below) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

static size_t mutate(uint8_t *bytes, size_t length, const uint8_t *other, size_t other_length) {
    static const char *const words[] = {"HTTP/1.1 200 OK\r\n", "HTTP/1.1 401 \r\n", "\r\n\r\n", "Content-Length: ", "4294967295",
                                        "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Retry-After: 9\r\n", "\n0\r\n\r\n",
                                        "{\"", "\":", "[", "}", "]", "\\u0000", "\\ud83d", "\\", "\"", "ffffffff\r\n", "null",
                                        "\"commands\":[{", "\"payload\":{", "\"command_type\":\"", "REBOOT_DEVICE", "CLEAR_MEMORY"};
    for (uint32_t rounds = 1 + chance(6); rounds && length > 1; rounds--) {
        size_t at = 1 + chance((uint32_t)length - 1), count = 1 + chance(40);
        const char *word = words[chance(sizeof words / sizeof words[0])];
        switch (chance(6)) {
        case 0: bytes[at] = (uint8_t)chance(256); break;
        case 1: bytes[at] ^= (uint8_t)(1u << chance(8)); break;
        case 2: /* out */
            if (count > length - at) count = length - at;
            memmove(bytes + at, bytes + at + count, length - at - count);
            length -= count;
            break;
        case 3: /* in, from another one */
            if (count > other_length) count = other_length;
            if (length + count > LONGEST) break;
            memmove(bytes + at + count, bytes + at, length - at);
            memcpy(bytes + at, other + chance((uint32_t)(other_length - count + 1)), count);
            length += count;
            break;
        case 4: /* a word */
            count = strlen(word);
            if (length + count > LONGEST) break;
            memmove(bytes + at + count, bytes + at, length - at);
            memcpy(bytes + at, word, count);
            length += count;
            break;
        default: bytes[0] = (uint8_t)chance(256);
        }
    }
    return length;
}

int main(int count, char **words) {
    static uint8_t seeds[FILES][LONGEST], bytes[LONGEST];
    static size_t lengths[FILES];
    uint32_t files = 0;
    if (count < 4) return 2;
    for (int i = 3; i < count && files < FILES; i++) {
        FILE *file = fopen(words[i], "rb");
        if (!file) return 2;
        lengths[files] = fread(seeds[files], 1, LONGEST, file);
        fclose(file);
        LLVMFuzzerTestOneInput(seeds[files], lengths[files]);
        if (lengths[files] > 1) files++;
    }
    state = (uint64_t)atoll(words[2]) * 2654435761u + 1;
    long runs = atol(words[1]);
    for (long run = 0; run < runs && files; run++) {
        uint32_t one = chance(files), other = chance(files);
        memcpy(bytes, seeds[one], lengths[one]);
        size_t length = mutate(bytes, lengths[one], seeds[other], lengths[other]);
        uint8_t *exact = malloc(length); /* so that a byte too far is found */
        memcpy(exact, bytes, length);
        LLVMFuzzerTestOneInput(exact, length);
        free(exact);
    }
    printf("runs %ld\n", runs);
    return 0;
}
#endif
