/* A device over a store in memory and the fake server, by a clock that only the trial moves, for whoever includes it. */
#ifndef ONE_DEVICE_H
#define ONE_DEVICE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../include/ozone.h"
#include "fake_server.h"

#define RAM_RECORDS 100
#include "ram_store.h"

#define CHECK(what) \
    do { \
        if (!(what)) { \
            printf(__FILE__ ":%d: %s; %u queued, %u refused, %s\n", __LINE__, #what, oz_queued(&device), oz_refused(&device), oz_why(&device)); \
            exit(1); \
        } \
    } while (0)

static oz_device device;
static uint32_t clock_ms;

static bool lies, dead; /* writes and says that it has not; answers nothing */
static bool full;       /* takes nothing */
static unsigned in_vain; /* so often it was asked to */

static int append(void *self, oz_key key, const void *bytes, size_t length) {
    if (full) return OZ_FULL;
    int done = ram_append(self, key, bytes, length);
    return lies ? OZ_BROKEN : done;
}

static int next(void *self, oz_key after, oz_key *found, void *into, size_t room) {
    return dead ? -1 : ram_next(self, after, found, into, room);
}

static bool reachable, slow, closes; /* slow: its replies wait; closes: it hangs up behind them */
static const char *instead;  /* of its reply, to whatever begins with `to` */
static const char *to;
static int times; /* so often; negative: always */
static char asked[32768], answer[4096]; /* all that was asked */
static size_t answer_length, answer_sent;

static int open_net(void *self, const char *host, uint16_t port, uint32_t budget) {
    (void)self, (void)host, (void)port, (void)budget;
    fake_open();
    answer_length = answer_sent = 0;
    return reachable ? 1 : -1;
}

static int write_net(void *self, const void *bytes, size_t length) {
    static char path[40];
    (void)self;
    if (strlen(asked) + length < sizeof asked) strncat(asked, bytes, length);
    snprintf(path, sizeof path, "%.*s", (int)(length < 39 ? length : 39), (const char *)bytes);
    answer_length = answer_sent = 0;
    if (instead && times && !strncmp(path, to, strlen(to))) {
        times--;
        answer_length = strlen(instead);
        memcpy(answer, instead, answer_length);
        fake_open();
    } else if (fake_take(bytes, length)) {
        answer_length = fake_length;
        memcpy(answer, fake_reply, fake_length);
    }
    return (int)length;
}

static int read_net(void *self, void *into, size_t room) {
    (void)self;
    size_t count = answer_length - answer_sent < room ? answer_length - answer_sent : room;
    if (slow) return 0;
    if (!count && closes && answer_length) return -1;
    memcpy(into, answer + answer_sent, count);
    answer_sent += count;
    return (int)count;
}

static void close_net(void *self) { (void)self; }

static uint32_t milliseconds(void *self) {
    (void)self;
    return clock_ms;
}

static int chance = 7;

static void random_bytes(void *self, void *into, size_t length) {
    (void)self;
    memset(into, chance, length);
}

static int lot; /* records that such a flash forgets at once, like the segments of files; 0: it forgets none */

static int replace(void *self, uint32_t slot, const void *bytes, size_t length) {
    oz_key acked;
    if (full) {
        in_vain++;
        return OZ_FULL;
    }
    if (slot == OZ_SLOT_ACKED && lot) {
        memcpy(&acked, bytes, sizeof acked);
        while (record_count > lot && records[lot - 1].key.boot <= acked.boot && records[lot - 1].key.number <= acked.number) {
            record_count -= lot;
            memmove(records, records + lot, sizeof records[0] * (size_t)record_count);
        }
    }
    return ram_replace(self, slot, bytes, length);
}

static const oz_store STORE = {NULL, append, replace, next};
static const oz_transport NET = {NULL, open_net, write_net, read_net, close_net};
static oz_settings settings;

static int start(void) {
    oz_platform platform = {0};
    platform.millis = milliseconds;
    platform.random = random_bytes;
    return oz_begin(&device, &settings, &platform, &STORE, &NET);
}

/* An empty flash, a server that is there. */
static void anew(void) {
    static const oz_settings plain = {.host = "server", .port = 80, .mac = "EC:E3:34:46:2B:C0"};
    settings = plain;
    record_count = stored_count = conflicts = 0;
    memset(slots, 0, sizeof slots);
    memset(asked, 0, sizeof asked);
    clock_ms = 1000;
    reachable = true;
    lies = dead = full = slow = closes = false;
    chance = 7;
    lot = 0;
    instead = NULL;
    times = -1;
    if (start() != OZ_OK) exit(3);
}

static void run(uint32_t ms) {
    for (uint32_t end = clock_ms + ms; (int32_t)(end - clock_ms) > 0; clock_ms += 100) oz_tick(&device, 50);
}

static int press(unsigned counter) { return oz_press(&device, OZ_BASIC, counter, NULL); }

static bool has(unsigned counter) {
    for (int i = 0; i < stored_count; i++)
        if (stored[i].counter == counter) return true;
    return false;
}

/* Tries all, and says `NAME N`. */
static int all_of(const char *name, void (*const *trials)(void), size_t count) {
    for (size_t i = 0; i < count; i++) trials[i]();
    printf("%s %zu\n", name, count);
    return 0;
}

#endif
