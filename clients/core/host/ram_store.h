/* A store in RAM, for trials that are not about flash: whoever includes it says by RAM_RECORDS how many events it holds. */
#ifndef RAM_STORE_H
#define RAM_STORE_H

#include <string.h>

#include "../include/ozone.h"

enum { RAM_SLOTS = 6, RAM_SLOT = 1200 };

static struct {
    oz_key key;
    uint8_t bytes[OZ_RECORD];
    size_t length;
} records[RAM_RECORDS];
static int record_count;
static struct {
    uint8_t bytes[RAM_SLOT];
    size_t length;
} slots[RAM_SLOTS];

static int ram_append(void *self, oz_key key, const void *bytes, size_t length) {
    (void)self;
    if (record_count == RAM_RECORDS || length > OZ_RECORD) return OZ_FULL;
    records[record_count].key = key;
    records[record_count].length = length;
    memcpy(records[record_count++].bytes, bytes, length);
    return OZ_OK;
}

static int ram_replace(void *self, uint32_t slot, const void *bytes, size_t length) {
    (void)self;
    if (slot >= RAM_SLOTS || length > RAM_SLOT) return OZ_BROKEN;
    memcpy(slots[slot].bytes, bytes, length);
    slots[slot].length = length;
    return OZ_OK;
}

static int ram_give(const uint8_t *bytes, size_t length, void *into, size_t room) {
    if (room) memcpy(into, bytes, length < room ? length : room);
    return (int)length;
}

static int ram_next(void *self, oz_key after, oz_key *found, void *into, size_t room) {
    (void)self;
    if (!after.boot)
        for (uint32_t slot = after.number + 1; slot && slot < RAM_SLOTS; slot++)
            if (slots[slot].length) {
                found->boot = 0;
                found->number = slot;
                return ram_give(slots[slot].bytes, slots[slot].length, into, room);
            }
    for (int i = 0; i < record_count; i++) {
        oz_key key = records[i].key;
        if (key.boot < after.boot || (key.boot == after.boot && key.number <= after.number)) continue;
        *found = key;
        return ram_give(records[i].bytes, records[i].length, into, room);
    }
    return 0;
}

#endif
