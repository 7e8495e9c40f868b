/* A memory that tears the write during which the power goes: a part of an append stays, a replacement is done or not. */
#include <stdlib.h>
#include <string.h>

#include "flash.h"

enum { FILES = 40, ROOM = 6000 };

static struct {
    char name[10];
    char bytes[ROOM];
    size_t length;
} flash[FILES];

static long writes, cut_at;

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
    size_t count = torn ? flash_chance((unsigned)(head_length + length + 1)) : head_length + length;
    memcpy(flash[at].bytes + flash[at].length, all, count);
    flash[at].length += count;
    if (torn && count && flash_chance(2)) flash[at].bytes[flash[at].length - 1] ^= 0x40;
    if (torn) flash_power_goes();
    return OZ_OK;
}

static int replace(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    (void)self;
    bool torn = power_goes();
    if (!torn || flash_chance(2)) {
        int at = find(name, true);
        if (at < 0) return OZ_FULL;
        memcpy(flash[at].bytes, head, head_length);
        memcpy(flash[at].bytes + head_length, body, length);
        flash[at].length = head_length + length;
    }
    if (torn) flash_power_goes();
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
    if (at >= 0 && (!torn || flash_chance(2))) flash[at].name[0] = 0;
    if (torn) flash_power_goes();
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

void flash_new(long cut) {
    memset(flash, 0, sizeof flash);
    writes = 0;
    cut_at = cut;
}

void flash_mount(oz_file_system *files) {
    oz_file_system all = {NULL, append, read_file, replace, remove_file, segment};
    *files = all;
    if (writes >= cut_at) cut_at = 0; /* the power is back, and stays */
}

long flash_writes(void) { return writes; }
