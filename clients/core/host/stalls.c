/* A server that is silent, drips, hangs up half-way, answers nonsense or errors, by a clock that only the trial moves:
 * no tick takes more than its budget, and when the server is good again all that was promised is there, once.
 *
 *     stalls [SEED] [SEEDS]      says `ticks N longest N`, and ends with 1 and a sentence where something is wrong
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/ozone.h"
#include "fake_server.h"

#define RAM_RECORDS 2000
#include "ram_store.h"

enum { PRESSES = 300, BUDGET = 50, CALL_MS = 1 };

static unsigned seed;
static uint32_t clock_ms;

static unsigned chance(unsigned below) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

/* ------------------------------------------------------------------ a network that misbehaves */

enum { GOOD, SILENT, DRIPPING, CLOSING, HALF, NONSENSE, ERRORS, ENDLESS, SLOW_TO_OPEN, BEHAVIOURS };

static int behaviour;
static bool well;
static char answer[4096];
static size_t answer_length, answer_sent;
static int opening;

static int open_net(void *self, const char *host, uint16_t port, uint32_t budget) {
    (void)self, (void)host, (void)port;
    behaviour = well ? GOOD : (int)chance(BEHAVIOURS);
    fake_open();
    answer_length = answer_sent = 0;
    if (behaviour == SLOW_TO_OPEN) {
        clock_ms += budget; /* as long as it may */
        return ++opening % 300 ? 0 : 1;
    }
    clock_ms += CALL_MS;
    return chance(6) || well ? 1 : -1;
}

static void say_error(void) {
    strcpy(answer, fake_error(chance(100)));
    answer_length = strlen(answer);
}

static void say_nonsense(void) {
    static const char *const begun[] = {"HTTP/1.1 2", "\r\n\r\nHTTP", "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "{", "",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n{\"commands\":[{\"id\":\"x\",\"payload\":{"};
    strcpy(answer, begun[chance(sizeof begun / sizeof begun[0])]);
    answer_length = strlen(answer);
    for (unsigned more = chance(600); more && answer_length < sizeof answer; more--)
        answer[answer_length++] = "{}[]\",:\\\r\n 1aZ\0\xff\xc3u"[chance(19)];
}

static int write_net(void *self, const void *bytes, size_t length) {
    (void)self;
    clock_ms += CALL_MS;
    size_t count = length > 200 ? 200 : length;
    if (behaviour == SILENT && !chance(3)) return 0;
    if (behaviour == CLOSING && chance(2)) return -1;
    if (!fake_take(bytes, count)) return (int)count;
    answer_length = fake_length;
    memcpy(answer, fake_reply, fake_length);
    answer_sent = 0;
    if (behaviour == ERRORS) say_error();
    if (behaviour == NONSENSE) say_nonsense();
    if (behaviour == HALF) answer_length = chance((unsigned)answer_length + 1);
    return (int)count;
}

static int read_net(void *self, void *into, size_t room) {
    (void)self;
    clock_ms += CALL_MS;
    if (behaviour == SILENT) return 0;
    if (behaviour == ENDLESS && answer_length) { /* headers without an end */
        memset(into, 'x', room);
        return (int)room;
    }
    if (answer_sent == answer_length) return behaviour == HALF || behaviour == NONSENSE || behaviour == CLOSING ? -1 : 0;
    if (behaviour == DRIPPING && chance(4)) return 0;
    size_t count = answer_length - answer_sent < room ? answer_length - answer_sent : room;
    if (behaviour == DRIPPING) count = 1;
    memcpy(into, answer + answer_sent, count);
    answer_sent += count;
    return (int)count;
}

static void close_net(void *self) { (void)self; }

static uint32_t milliseconds(void *self) {
    (void)self;
    return clock_ms;
}

static void random_bytes(void *self, void *into, size_t length) {
    (void)self;
    for (size_t i = 0; i < length; i++) ((char *)into)[i] = (char)chance(256);
}

static bool handle(void *self, const oz_command *command, oz_result *result) {
    (void)self, (void)command;
    result->success = true;
    return true;
}

static void trial(unsigned with, long *ticks, uint32_t *longest) {
    static oz_device device;
    static const oz_store store = {NULL, ram_append, ram_replace, ram_next};
    static const oz_transport net = {NULL, open_net, write_net, read_net, close_net};
    oz_platform platform = {0};
    oz_settings settings = {0};
    platform.millis = milliseconds;
    platform.random = random_bytes;
    settings.host = "server";
    settings.port = 80;
    settings.mac = "EC:E3:34:46:2B:C0";
    settings.handler = handle;
    settings.held_poll_s = (uint16_t)chance(2) * 20;
    seed = with;
    record_count = stored_count = conflicts = 0;
    memset(slots, 0, sizeof slots);
    clock_ms = 0u - 100000u * chance(3); /* millis() turns over in some of them */
    well = false;
    if (oz_begin(&device, &settings, &platform, &store, &net) != OZ_OK) exit(3);
    for (unsigned press = 1; press <= PRESSES; press++) {
        if (oz_press(&device, OZ_BASIC, press, NULL) != OZ_OK) exit(4);
        for (unsigned rounds = chance(40); rounds; rounds--, ++*ticks) {
            uint32_t began = clock_ms;
            oz_tick(&device, BUDGET);
            if (clock_ms - began > *longest) *longest = clock_ms - began;
            clock_ms += chance(10) ? 7 : chance(9000);
        }
    }
    well = true;
    for (int rounds = 0; rounds < 4000 && !oz_can_sleep(&device); rounds++) {
        oz_tick(&device, BUDGET);
        clock_ms += 3000;
    }
    unsigned missing = 0;
    for (unsigned press = 1; press <= PRESSES; press++) {
        unsigned found = 0;
        for (int i = 0; i < stored_count; i++) found += stored[i].counter == press;
        missing += !found;
        if (found > 1 || missing > oz_refused(&device)) {
            printf("seed %u: press %u is stored %u times; %u queued, %s\n", with, press, found, oz_queued(&device), oz_why(&device));
            exit(1);
        }
    }
    if (conflicts || *longest > BUDGET + CALL_MS) {
        printf("seed %u: %d conflicts, a tick took %u ms\n", with, conflicts, *longest);
        exit(1);
    }
}

int main(int count, char **words) {
    unsigned first = count > 1 ? (unsigned)atoi(words[1]) : 1, seeds = count > 2 ? (unsigned)atoi(words[2]) : 10;
    long ticks = 0;
    uint32_t longest = 0;
    for (unsigned with = first; with < first + seeds; with++) trial(with, &ticks, &longest);
    printf("ticks %ld longest %u\n", ticks, longest);
    return 0;
}
