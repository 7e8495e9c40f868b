/* Records in segments. Each start of the device begins a segment of its own, and so does each write that failed: what a
 * power cut tore is the end of a file, and nothing is ever written behind it.
 */
#include "oz_files.h"

#include <string.h>

enum { FRAME = 14 }; /* length (2), boot (4), number (4), CRC-32 of all the rest (4) */

static uint32_t crc(uint32_t sum, const uint8_t *bytes, size_t length) {
    static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
                                       0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                       0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    sum = ~sum;
    while (length--) {
        sum ^= *bytes++;
        sum = sum >> 4 ^ table[sum & 15];
        sum = sum >> 4 ^ table[sum & 15];
    }
    return ~sum;
}

static void put(uint8_t *at, uint32_t value, int bytes) {
    for (int i = 0; i < bytes; i++) at[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t get(const uint8_t *at, int bytes) {
    uint32_t value = 0;
    for (int i = 0; i < bytes; i++) value |= (uint32_t)at[i] << 8 * i;
    return value;
}

void oz_files_name(char name[10], char letter, uint32_t number) {
    name[0] = letter;
    for (int i = 0; i < 8; i++) name[1 + i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
    name[9] = 0;
}

/* Reads what is framed at `offset` of a file: its length, its key, its first bytes; 0 when none is whole there. */
static int framed(oz_files *store, char letter, uint32_t file, uint32_t offset, oz_key *key, void *into, size_t room) {
    uint8_t frame[FRAME], piece[48];
    char name[10];
    oz_files_name(name, letter, file);
    if (store->files.read(store->files.self, name, offset, frame, FRAME) != FRAME) return 0;
    uint32_t length = get(frame, 2), sum = crc(0, frame, 10);
    key->boot = get(frame + 2, 4);
    key->number = get(frame + 6, 4);
    for (uint32_t done = 0; done < length;) {
        uint32_t want = length - done < sizeof piece ? length - done : sizeof piece;
        if (store->files.read(store->files.self, name, offset + FRAME + done, piece, want) != (int)want) return 0;
        sum = crc(sum, piece, want);
        if (done < room) memcpy((uint8_t *)into + done, piece, want < room - done ? want : room - done);
        done += want;
    }
    return sum == get(frame + 10, 4) ? (int)length : 0;
}

static void frame_of(uint8_t frame[FRAME], oz_key key, const void *bytes, size_t length) {
    put(frame, (uint32_t)length, 2);
    put(frame + 2, key.boot, 4);
    put(frame + 6, key.number, 4);
    put(frame + 10, crc(crc(0, frame, 10), bytes, length), 4);
}

/* The first whole record behind `after`, from a place in a segment on. */
static int search(oz_files *store, uint32_t segment, uint32_t offset, oz_key after, oz_key *found, void *into, size_t room) {
    while (segment) {
        int length = framed(store, 'q', segment, offset, found, NULL, 0);
        if (!length) { /* the end of this segment, or where a power cut tore it */
            segment = segment < store->last ? store->files.segment(store->files.self, segment + 1) : 0;
            offset = 0;
            continue;
        }
        uint32_t here = offset;
        offset += FRAME + (uint32_t)length;
        if (found->boot < after.boot || (found->boot == after.boot && found->number <= after.number)) continue;
        if (room) framed(store, 'q', segment, here, found, into, room);
        store->at = *found;
        store->segment = segment;
        store->offset = offset;
        return length;
    }
    return 0;
}

static int next(void *self, oz_key after, oz_key *found, void *into, size_t room) {
    oz_files *store = self;
    if (!after.boot)
        for (uint32_t number = after.number + 1; number && number <= OZ_SLOT_REFUSED; number++) {
            int length = framed(store, 's', number, 0, found, into, room);
            if (length) return length;
        }
    bool onward = store->segment && (after.boot > store->at.boot ||
                                     (after.boot == store->at.boot && after.number >= store->at.number));
    return search(store, onward ? store->segment : store->first, onward ? store->offset : 0, after, found, into, room);
}

static int append(void *self, oz_key key, const void *bytes, size_t length) {
    oz_files *store = self;
    uint8_t frame[FRAME], none;
    char name[10];
    uint32_t first = store->first, last = store->last;
    if (!length || length > OZ_RECORD) return OZ_TOO_LONG;
    frame_of(frame, key, bytes, length);
    if (!store->size || store->size + FRAME + length > OZ_SEGMENT) {
        if (store->last && store->last - store->first + 1 >= store->limit) return OZ_FULL;
        store->last++;
        if (!store->first) store->first = store->last;
        store->size = 0;
    }
    oz_files_name(name, 'q', store->last);
    int result = store->files.append(store->files.self, name, frame, FRAME, bytes, length);
    store->size = result == OZ_OK ? store->size + FRAME + (uint32_t)length : 0;
    if (result != OZ_OK && store->last != last &&
        (store->files.remove(store->files.self, name) == OZ_OK || !store->files.read(store->files.self, name, 0, &none, 1))) {
        store->first = first; /* else presses on a flash without room would use up the segments, one each */
        store->last = last;
    }
    return result;
}

/* Segments of which nothing is waiting go; the one that is being written stays. */
static void forget(oz_files *store, oz_key acked) {
    char name[10];
    while (store->first && store->first < store->last) {
        oz_key found;
        uint32_t offset = 0;
        int length;
        while ((length = framed(store, 'q', store->first, offset, &found, NULL, 0))) {
            if (found.boot > acked.boot || (found.boot == acked.boot && found.number > acked.number)) return;
            offset += FRAME + (uint32_t)length;
        }
        oz_files_name(name, 'q', store->first);
        store->files.remove(store->files.self, name);
        if (store->segment == store->first) store->segment = 0;
        uint32_t following = store->files.segment(store->files.self, store->first + 1);
        store->first = following ? following : store->last;
    }
}

static int replace(void *self, uint32_t number, const void *bytes, size_t length) {
    oz_files *store = self;
    uint8_t frame[FRAME];
    char name[10];
    oz_key key = {0, number};
    frame_of(frame, key, bytes, length);
    oz_files_name(name, 's', number);
    int result = store->files.replace(store->files.self, name, frame, FRAME, bytes, length);
    if (number != OZ_SLOT_ACKED || length < sizeof(oz_key)) return result;
    oz_key acked;
    memcpy(&acked, bytes, sizeof acked);
    forget(store, acked);
    /* What the server has may go, whatever this flash has written down: that may be the room for it. */
    return result == OZ_OK ? OZ_OK : store->files.replace(store->files.self, name, frame, FRAME, bytes, length);
}

void oz_files_begin(oz_files *store, const oz_file_system *files, uint32_t limit, oz_store *into) {
    memset(store, 0, sizeof *store);
    store->files = *files;
    store->limit = limit ? limit : 64;
    store->first = files->segment(files->self, 1);
    for (uint32_t at = store->first; at; at = files->segment(files->self, at + 1)) store->last = at;
    into->self = store;
    into->append = append;
    into->replace = replace;
    into->next = next;
}
