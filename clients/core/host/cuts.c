/* A power cut at every write to the flash, one after the other: what was promised is at the server once, always.
 *
 *     cuts [SEED]        says `cuts N promised N stored N`, and ends with 1 and a sentence where something is missing
 *
 * Flash is a memory that tears the write during which the power goes: a part of an append stays, a replacement is done or
 * not done. Now and then a reply gets lost.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../stores/oz_files.h"
#include "fake_server.h"

enum { PRESSES = 60, FILES = 40, ROOM = 6000 };

static struct {
    char name[10];
    char bytes[ROOM];
    size_t length;
} flash[FILES];

static jmp_buf power;
static long writes, cut_at;
static unsigned seed;
static uint32_t clock_ms;

static unsigned chance(unsigned below) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

static int find(const char *name, bool make) {
    int empty = -1;
    for (int i = 0; i < FILES; i++) {
        if (!strcmp(flash[i].name, name)) return i;
        if (!flash[i].name[0] && empty < 0) empty = i;
    }
    if (!make || empty < 0) return -1;
    strcpy(flash[empty].name, name);
    flash[empty].length = 0;
    return empty;
}

static bool power_goes(void) { return ++writes == cut_at; }

static int append(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    char all[ROOM];
    (void)self;
    int at = find(name, true);
    if (at < 0 || flash[at].length + head_length + length > ROOM) return OZ_FULL;
    memcpy(all, head, head_length);
    memcpy(all + head_length, body, length);
    bool torn = power_goes();
    size_t count = torn ? chance((unsigned)(head_length + length + 1)) : head_length + length;
    memcpy(flash[at].bytes + flash[at].length, all, count);
    flash[at].length += count;
    if (torn && count && chance(2)) flash[at].bytes[flash[at].length - 1] ^= 0x40;
    if (torn) longjmp(power, 1);
    return OZ_OK;
}

static int replace(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    (void)self;
    bool torn = power_goes();
    if (!torn || chance(2)) {
        int at = find(name, true);
        if (at < 0) return OZ_FULL;
        memcpy(flash[at].bytes, head, head_length);
        memcpy(flash[at].bytes + head_length, body, length);
        flash[at].length = head_length + length;
    }
    if (torn) longjmp(power, 1);
    return OZ_OK;
}

static int read_file(void *self, const char *name, uint32_t offset, void *into, size_t room) {
    (void)self;
    int at = find(name, false);
    if (at < 0 || offset >= flash[at].length) return 0;
    size_t count = flash[at].length - offset < room ? flash[at].length - offset : room;
    memcpy(into, flash[at].bytes + offset, count);
    return (int)count;
}

static int remove_file(void *self, const char *name) {
    (void)self;
    int at = find(name, false);
    bool torn = power_goes();
    if (at >= 0 && (!torn || chance(2))) flash[at].name[0] = 0;
    if (torn) longjmp(power, 1);
    return OZ_OK;
}

static uint32_t segment(void *self, uint32_t from) {
    uint32_t best = 0;
    (void)self;
    for (int i = 0; i < FILES; i++) {
        if (flash[i].name[0] != 'q') continue;
        uint32_t number = (uint32_t)strtoul(flash[i].name + 1, NULL, 16);
        if (number >= from && (!best || number < best)) best = number;
    }
    return best;
}

/* ------------------------------------------------------------------ the network */

static size_t reply_sent;
static bool reply_lost;

static int open_net(void *self, const char *host, uint16_t port, uint32_t budget) {
    (void)self, (void)host, (void)port, (void)budget;
    fake_open();
    reply_sent = 0;
    return chance(9) ? 1 : -1;
}

static int write_net(void *self, const void *bytes, size_t length) {
    (void)self;
    size_t count = length > 100 ? 100 : length;
    if (fake_take(bytes, count)) {
        reply_sent = 0;
        reply_lost = !chance(7);
    }
    return (int)count;
}

static int read_net(void *self, void *into, size_t room) {
    (void)self;
    if (reply_lost && reply_sent) return -1; /* behind its first byte */
    size_t count = fake_length - reply_sent < room ? fake_length - reply_sent : room;
    if (reply_lost && count) count = 1;
    memcpy(into, fake_reply + reply_sent, count);
    reply_sent += count;
    return (int)count;
}

static void close_net(void *self) { (void)self; }

static uint32_t milliseconds(void *self) {
    (void)self;
    return clock_ms += 1;
}

static void random_bytes(void *self, void *into, size_t length) {
    (void)self;
    for (size_t i = 0; i < length; i++) ((char *)into)[i] = (char)chance(256);
}

/* ------------------------------------------------------------------ one life after another */

static oz_device device;
static oz_files files;
static oz_store store;

static void start(void) {
    static const oz_file_system system = {NULL, append, read_file, replace, remove_file, segment};
    static const oz_transport net = {NULL, open_net, write_net, read_net, close_net};
    static const oz_platform platform = {NULL, milliseconds, NULL, random_bytes, NULL
#ifdef OZ_ENCRYPT
                                         , NULL
#endif
    };
    oz_settings settings = {0};
    settings.host = "server";
    settings.port = 80;
    settings.mac = "EC:E3:34:46:2B:C0";
    settings.ack_every = 5;
    settings.capacity = 200;
    oz_files_begin(&files, &system, 8, &store);
    if (oz_begin(&device, &settings, &platform, &store, &net) != OZ_OK) exit(3);
}

static long life(long cut, unsigned with) {
    static unsigned promised[PRESSES + 1];
    static volatile unsigned counter;
    memset(flash, 0, sizeof flash);
    memset(promised, 0, sizeof promised);
    stored_count = conflicts = 0;
    writes = 0;
    cut_at = cut;
    seed = with;
    counter = 0;
    if (setjmp(power)) cut_at = 0; /* the power is back, and stays */
    start();
    while (counter < PRESSES) {
        unsigned now = ++counter;
        if (oz_press(&device, (oz_treatment)(now % 3), now, NULL) == OZ_OK) promised[now] = 1;
        for (unsigned ticks = chance(4); ticks; ticks--) {
            clock_ms += chance(3000);
            oz_tick(&device, 40);
        }
    }
    for (int ticks = 0; ticks < 3000 && !oz_can_sleep(&device); ticks++) {
        clock_ms += 5000;
        oz_tick(&device, 50);
    }
    for (unsigned press = 1; press <= PRESSES; press++) {
        unsigned found = 0;
        for (int i = 0; i < stored_count; i++) found += stored[i].counter == press;
        if (found > 1 || (promised[press] && !found) || conflicts || !oz_can_sleep(&device)) {
            printf("cut at write %ld, seed %u: press %u was promised %u times and stored %u times, %d conflicts, %u queued\n",
                   cut, with, press, promised[press], found, conflicts, oz_queued(&device));
            exit(1);
        }
    }
    return writes;
}

int main(int count, char **words) {
    unsigned first = count > 1 ? (unsigned)atoi(words[1]) : 1, seeds = count > 2 ? (unsigned)atoi(words[2]) : 3;
    long cuts = 0;
    for (unsigned with = first; with < first + seeds; with++) {
        long all = life(0, with);
        for (long cut = 1; cut <= all; cut++, cuts++) life(cut, with);
    }
    printf("cuts %ld\n", cuts);
    return 0;
}
