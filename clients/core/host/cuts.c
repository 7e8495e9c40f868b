/* A power cut at every write to the flash, one after the other: what was promised is at the server once, always.
 *
 *     cuts [SEED]        says `cuts N promised N stored N`, and ends with 1 and a sentence where something is missing
 *
 * Now and then a reply gets lost. Before it, once, a flash without room. What happens to a write during which the power goes: flash.h.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_server.h"
#include "flash.h"

enum { PRESSES = 60 };

static jmp_buf power;
static unsigned seed;
static uint32_t clock_ms;

unsigned flash_chance(unsigned below) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

void flash_power_goes(void) { longjmp(power, 1); }

/* ------------------------------------------------------------------ the network */

static size_t reply_sent;
static bool reply_lost;

static int open_net(void *self, const char *host, uint16_t port, uint32_t budget) {
    (void)self, (void)host, (void)port, (void)budget;
    fake_open();
    reply_sent = 0;
    return flash_chance(9) ? 1 : -1;
}

static int write_net(void *self, const void *bytes, size_t length) {
    (void)self;
    size_t count = length > 100 ? 100 : length;
    if (fake_take(bytes, count)) {
        reply_sent = 0;
        reply_lost = !flash_chance(7);
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
    for (size_t i = 0; i < length; i++) ((char *)into)[i] = (char)flash_chance(256);
}

/* ------------------------------------------------------------------ one life after another */

static oz_device device;
static oz_files files;
static oz_store store;

static oz_file_system flash;
static bool full; /* until something goes: makes files, and writes nothing into them */

static int append_if(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    if (!full) return flash.append(self, name, head, head_length, body, length);
    flash.append(self, name, head, 0, body, 0);
    return OZ_FULL;
}

static int replace_if(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    return full ? OZ_FULL : flash.replace(self, name, head, head_length, body, length);
}

static int remove_and_have_room(void *self, const char *name) {
    char one;
    if (flash.read(self, name, 0, &one, 1) == 1) full = false;
    return flash.remove(self, name);
}

static void start(void) {
    oz_file_system system;
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
    flash_mount(&flash);
    system = flash;
    system.append = append_if;
    system.replace = replace_if;
    system.remove = remove_and_have_room;
    oz_files_begin(&files, &system, 8, &store);
    if (oz_begin(&device, &settings, &platform, &store, &net) != OZ_OK) exit(3);
}

static void run(void) {
    for (int ticks = 0; ticks < 3000 && !(device.me.token[0] && oz_can_sleep(&device)); ticks++) {
        clock_ms += 5000;
        oz_tick(&device, 50);
    }
}

/* What it refuses uses up none of its eight segments, and what the server has makes room. */
static void without_room(void) {
    int taken = 0, refused = 0;
    flash_new(0);
    start();
    run(); /* it has a token */
    while (taken < PRESSES && oz_press(&device, OZ_BASIC, 1, NULL) == OZ_OK) taken++;
    full = true;
    while (refused < 20 && oz_press(&device, OZ_BASIC, 1, NULL) == OZ_FULL) refused++;
    full = false;
    bool again = oz_press(&device, OZ_BASIC, 1, NULL) == OZ_OK;
    full = true;
    run();
    if (taken < PRESSES || refused < 20 || !again || stored_count != taken + 1 || !oz_can_sleep(&device)) {
        printf("without room: %d taken, %d refused, %d again, %d stored, %u queued, %d\n", taken, refused, again, stored_count,
               oz_queued(&device), oz_can_sleep(&device));
        exit(1);
    }
}

/* Where nothing can be written down, the oldest is not dropped for a press that is refused all the same. */
static void nothing_dropped_in_vain(void) {
    unsigned taken = 0, refused = 0;
    flash_new(0);
    start();
    device.set.drop_oldest = true;
    run();
    stored_count = 0;
    while (taken < 5 && oz_press(&device, OZ_BASIC, 1, NULL) == OZ_OK) taken++;
    full = true;
    while (refused < 20 && oz_press(&device, OZ_BASIC, 1, NULL) == OZ_FULL) refused++;
    unsigned dropped = oz_dropped(&device), queued = oz_queued(&device);
    full = false;
    run();
    if (taken < 5 || refused < 20 || dropped || queued != taken || stored_count != (int)taken) {
        printf("in vain: %u taken, %u refused, %u dropped, %u queued, %d stored\n", taken, refused, dropped, queued, stored_count);
        exit(1);
    }
}

static long life(long cut, unsigned with) {
    static unsigned promised[PRESSES + 1];
    static volatile unsigned counter;
    flash_new(cut);
    memset(promised, 0, sizeof promised);
    stored_count = conflicts = 0;
    seed = with;
    counter = 0;
    (void)setjmp(power); /* and on again */
    start();
    while (counter < PRESSES) {
        unsigned now = ++counter;
        if (oz_press(&device, (oz_treatment)(now % 3), now, NULL) == OZ_OK) promised[now] = 1;
        for (unsigned ticks = flash_chance(4); ticks; ticks--) {
            clock_ms += flash_chance(3000);
            oz_tick(&device, 40);
        }
    }
    run();
    for (unsigned press = 1; press <= PRESSES; press++) {
        unsigned found = 0;
        for (int i = 0; i < stored_count; i++) found += stored[i].counter == press;
        if (found > 1 || (promised[press] && !found) || conflicts || !oz_can_sleep(&device)) {
            printf("cut at write %ld, seed %u: press %u was promised %u times and stored %u times, %d conflicts, %u queued\n",
                   cut, with, press, promised[press], found, conflicts, oz_queued(&device));
            exit(1);
        }
    }
    return flash_writes();
}

int main(int count, char **words) {
    unsigned first = count > 1 ? (unsigned)atoi(words[1]) : 1, seeds = count > 2 ? (unsigned)atoi(words[2]) : 3;
    long cuts = 0;
    without_room();
    nothing_dropped_in_vain();
    for (unsigned with = first; with < first + seeds; with++) {
        long all = life(0, with);
        for (long cut = 1; cut <= all; cut++, cuts++) life(cut, with);
    }
    printf("cuts %ld\n", cuts);
    return 0;
}
