/* The queue: records on flash, passed in their order, and the acknowledgement, which is a key and no place in a file. */
#include "inside.h"

#include <string.h>

static const oz_key NOTHING = {0, 0};
static const oz_key SLOTS_END = {0, UINT32_MAX};

bool oz_after(oz_key one, oz_key other) {
    return one.boot > other.boot || (one.boot == other.boot && one.number > other.number);
}

static void put_u32(uint8_t *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get_u32(const uint8_t *at) {
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool oz_slot(oz_device *device, uint32_t which, void *into, size_t size) {
    oz_key found, before = {0, which - 1};
    int length = device->store.next(device->store.self, before, &found, into, size);
    if (length == (int)size && !found.boot && found.number == which) return true;
    memset(into, 0, size);
    return false;
}

oz_key oz_first_after(oz_device *device, oz_key key) {
    oz_key found;
    char none;
    if (!oz_after(key, SLOTS_END)) key = SLOTS_END;
    return device->store.next(device->store.self, key, &found, &none, 0) > 0 ? found : NOTHING;
}

int oz_queue_begin(oz_device *device) {
    oz_key slots_begin = {0, 0}, found;
    if (device->store.next(device->store.self, slots_begin, &found, NULL, 0) < 0) return OZ_BROKEN;
    oz_slot(device, OZ_SLOT_ACKED, &device->acked, sizeof device->acked);
    device->written = device->acked;
    oz_slot(device, OZ_SLOT_ANCHORS, device->anchors, sizeof device->anchors);
    if (!oz_slot(device, OZ_SLOT_IDENTITY, &device->me, sizeof device->me))
        device->platform.random(device->platform.self, device->me.nonce, sizeof device->me.nonce);
    device->me.device_id[OZ_DEVICE_ID - 1] = device->me.token[OZ_TOKEN - 1] = 0;
    if (device->me.token[0] && (!oz_plain(device->me.token, "") || strpbrk(device->me.device_id, OZ_NOT_IN_A_PATH)))
        device->me.token[0] = 0; /* every request with it would be refused, and what is queued with them */
    device->last = device->acked;
    device->queued = 0;
    for (oz_key key = oz_first_after(device, device->acked); key.boot; key = oz_first_after(device, key)) {
        device->queued++;
        device->last = key;
    }
    if (device->last.boot > device->me.boot) device->me.boot = device->last.boot; /* the identity's slot was lost */
    return OZ_OK;
}

/* This boot gets its number with its first record: a boot that says nothing costs the flash nothing. */
static int number_boot(oz_device *device) {
    if (device->booted) return OZ_OK;
    device->me.boot++;
    int result = oz_save_identity(device);
    if (result != OZ_OK) device->me.boot--;
    device->booted = result == OZ_OK;
    return result;
}

static bool is_under_way(const oz_device *device, oz_key key) {
    return device->phase && device->job == OZ_SEND && !oz_after(key, device->upto);
}

static bool drop_oldest(oz_device *device) {
    oz_key oldest = oz_first_after(device, device->acked);
    if (!device->set.drop_oldest || !oldest.boot) return false;
    if (device->batch && is_under_way(device, oldest)) {
        device->batch--;
        device->fewer = true;
    }
    oz_queue_passed(device, oldest, 1);
    device->dropped++;
    return true;
}

int oz_queue_append(oz_device *device, uint8_t kind, uint8_t *record, size_t length) {
    uint32_t utc = oz_now(device);
    int result = number_boot(device);
    if (result != OZ_OK) return result;
    while (device->queued >= device->set.capacity)
        if (!drop_oldest(device)) return OZ_FULL;
    record[0] = kind;
    record[1] = 0;
    memcpy(record + 2, device->me.nonce, 4);
    put_u32(record + 6, utc);
    put_u32(record + 10, device->tenths);
    oz_key key = {device->me.boot, device->last.boot == device->me.boot ? device->last.number + 1 : 1};
    for (int tries = 0;; tries++) {
        oz_key acked = device->acked;
        result = device->store.append(device->store.self, key, record, length);
        if (result != OZ_FULL || tries == 200 || !drop_oldest(device)) break;
        oz_queue_write_ack(device); /* the flash itself is full: let it forget, perhaps a segment of the shortest records */
        if (oz_after(device->acked, device->written)) { /* it cannot even write that: what was dropped won nothing */
            if (is_under_way(device, device->acked)) device->batch++;
            device->acked = acked;
            device->queued++;
            device->dropped--;
            break;
        }
    }
    device->last = key; /* used up in any case: what could not be written may stand on the flash after all */
    if (result != OZ_OK) return result;
    device->queued++;
    if (!utc) device->undated = true;
    return OZ_OK;
}

static uint32_t dated(const oz_device *device, oz_key key, const uint8_t *record) {
    uint32_t utc = get_u32(record + 6);
    if (utc) return utc;
    for (int i = 0; i < OZ_ANCHORS; i++)
        if (device->anchors[i].boot == key.boot && device->anchors[i].utc)
            return device->anchors[i].utc + get_u32(record + 10) / 10;
    return 0;
}

/* `"<random>-<boot>-<number>`: never a clock, never a counter. */
static void put_id(oz_writer *out, const uint8_t *random, oz_key key) {
    oz_put(out, "\"");
    oz_put_hex(out, random, 4);
    oz_put_member(out, "-", key.boot);
    oz_put_member(out, "-", key.number);
    oz_put(out, "\"");
}

bool oz_queue_is(const oz_device *device, oz_key key, oz_slice id) {
    char ours[40];
    oz_writer out = {ours, ours + sizeof ours - 1, false};
    put_id(&out, device->me.nonce, key);
    *out.at = 0;
    return oz_json_is(id, ours);
}

static void put_base64(oz_writer *out, const uint8_t *bytes, size_t length) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (i + 1 < length ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (i + 2 < length ? bytes[i + 2] : 0);
        char four[4] = {digits[three >> 18], digits[three >> 12 & 63], i + 1 < length ? digits[three >> 6 & 63] : '=',
                        i + 2 < length ? digits[three & 63] : '='};
        oz_put_bytes(out, four, 4);
    }
}

#ifdef OZ_ENCRYPT
static bool encrypts(const oz_device *device) {
    for (size_t i = 0; i < sizeof device->me.key; i++)
        if (device->me.key[i]) return device->platform.seal != NULL;
    return false;
}

/* The nonce is the record's id, so that a repeat is the same envelope, byte for byte, and none comes twice. What is sealed
 * stands at the end of the room: the envelope, which takes the place of `plain` and is longer, never catches up with what is
 * still to be read, unless it does not fit. */
static void put_sealed(oz_device *device, oz_writer *out, const uint8_t *record, oz_key key, char *plain) {
    size_t length = (size_t)(out->at - plain);
    uint8_t nonce[12], *sealed = (uint8_t *)out->end - length - 16;
    memcpy(nonce, record + 2, 4);
    put_u32(nonce + 4, key.boot);
    put_u32(nonce + 8, key.number);
    if ((size_t)(out->end - out->at) < length + 16 ||
        device->platform.seal(device->platform.self, device->me.key, nonce, plain, length, sealed)) {
        out->full = true;
        return;
    }
    out->at = plain;
    oz_put(out, "{\"algorithm\":\"AESGCM\",\"nonce\":\"");
    put_base64(out, nonce, sizeof nonce);
    oz_put(out, "\",\"ciphertext\":\"");
    put_base64(out, sealed, length + 16);
    oz_put(out, "\"}");
}
#endif

/* One record as the server takes it: what was appended, `{"event": …` without its end, and id and time. */
static void put_record(oz_device *device, oz_writer *out, const uint8_t *record, oz_key key, size_t length) {
    bool reading = record[0] == OZ_READING;
    uint32_t utc = dated(device, key, record);
    char *began = out->at;
    oz_put_bytes(out, (const char *)record + OZ_HEAD, length - OZ_HEAD);
    oz_put(out, out->at[-1] == '{' ? "" : ",");
    oz_put(out, reading ? "\"message_id\":" : "\"event_id\":");
    put_id(out, record + 2, key);
    if (utc) {
        oz_put(out, reading ? ",\"timestamp\":" : ",\"ts\":");
        oz_put_instant(out, utc);
    }
    oz_put(out, "}");
#ifdef OZ_ENCRYPT
    if (!out->full && encrypts(device)) put_sealed(device, out, record, key, began);
#else
    (void)began;
    (void)put_base64;
#endif
}

uint16_t oz_queue_compose(oz_device *device, oz_writer *out, uint16_t most) {
    oz_key after = oz_after(device->acked, SLOTS_END) ? device->acked : SLOTS_END, found;
    char *first = out->at;
    uint16_t count = 0;
    int length = 0;
    device->fewer = false;
    /* The record is read into the buffer's end, and written, longer, further in front. */
    uint8_t *record = (uint8_t *)out->end - OZ_RECORD;
    char *end = out->end;
    if (out->full || out->at >= (char *)record) return 0; /* it is the head that does not fit, and no record's fault */
    out->end = (char *)record;
    if (most > 1) oz_put(out, "[");
    while (count < most) {
        length = device->store.next(device->store.self, after, &found, record, OZ_RECORD);
        if (length <= 0) break;
        bool whole = length > OZ_HEAD && length <= OZ_RECORD;
        char *before = out->at;
        if (count && (!whole || record[0] != device->kind)) break;
        device->kind = record[0];
        if (count) oz_put(out, ",");
        if (whole) put_record(device, out, record, found, (size_t)length);
        if (!whole || out->full) {
            out->full = false;
            out->at = before;
            if (count) break;
            oz_queue_refuse(device, found); /* it will never fit: it must not hold up those behind it */
            oz_queue_passed(device, found, 1);
            after = found;
            continue;
        }
        after = device->upto = found;
        count++;
    }
    if (most > 1) {
        out->end += 1;
        if (count > 1) {
            oz_put(out, "]");
        } else if (count) { /* one alone goes as itself */
            memmove(first, first + 1, (size_t)(out->at - first - 1));
            out->at--;
        }
    }
    out->end = end;
    if (!count && !length) device->queued = 0; /* nothing whole is left of what was counted */
    return count;
}

void oz_queue_passed(oz_device *device, oz_key upto, uint32_t count) {
    if (!oz_after(upto, device->acked)) return;
    device->acked = upto;
    device->queued = device->queued > count ? device->queued - count : 0;
    if (!device->queued && oz_first_after(device, upto).boot) device->queued = 1; /* one that was not counted */
    device->moved = oz_millis(device);
    device->since_ack = (uint16_t)(device->since_ack + count);
    if (device->since_ack >= device->set.ack_every) oz_queue_write_ack(device);
}

/* Late is safe: what is sent again is the same, and the server keeps it once. */
void oz_queue_write_ack(oz_device *device) {
    if (!oz_after(device->acked, device->written)) return;
    oz_key acked = device->acked;
    device->moved = oz_millis(device); /* a flash that takes nothing is not asked again at once */
    if (device->store.replace(device->store.self, OZ_SLOT_ACKED, &acked, sizeof acked) != OZ_OK) return;
    device->written = acked;
    device->since_ack = 0;
}

void oz_queue_refuse(oz_device *device, oz_key key) {
    char *record = device->buffer + OZ_BUFFER - OZ_RECORD; /* behind the reply that refuses it */
    oz_key found, before = {key.boot, key.number - 1};
    device->refused++;
    if (device->reply.body > OZ_BUFFER - OZ_RECORD) return;
    int length = device->store.next(device->store.self, before, &found, record, OZ_RECORD);
    if (length > 0 && length <= OZ_RECORD && found.boot == key.boot && found.number == key.number)
        device->store.replace(device->store.self, OZ_SLOT_REFUSED, record, (size_t)length);
}

/* When this boot's undated records happened, decided once and kept: sent again, a record must say the same time. */
void oz_queue_anchor(oz_device *device, uint32_t utc) {
    if (device->anchored || !device->undated) return;
    oz_queue_write_ack(device);
    oz_key acked = device->written; /* what is past it comes again after a power cut, and needs its anchor */
    oz_anchor anchor = {device->me.boot, utc ? utc - device->tenths / 10 : 0};
    for (int i = 0; i < OZ_ANCHORS; i++) {
        oz_anchor old = device->anchors[i];
        if (old.boot > acked.boot) continue; /* records of that boot are waiting */
        if (old.boot && old.boot == acked.boot && (device->queued || oz_after(device->acked, acked))) continue;
        device->anchors[i] = anchor;
        if (device->store.replace(device->store.self, OZ_SLOT_ANCHORS, device->anchors, sizeof device->anchors) != OZ_OK)
            device->anchors[i] = old;
        break;
    }
    device->anchored = true; /* without room these records stay undated, now and when they are sent again */
}

bool oz_queue_clear(oz_device *device) {
    if (oz_after(device->last, device->acked)) oz_queue_passed(device, device->last, device->queued);
    device->queued = 0;
    oz_queue_write_ack(device);
    return !oz_after(device->acked, device->written);
}
