/* A store in the NVS of an ESP32, by Preferences: for boards without a partition for LittleFS, and short queues. A place
 * holds one record; a press takes about 250 bytes of a partition that usually has 20 KB for everybody.
 *
 *     OzonePreferences store("ozone");
 */
#ifndef OZONE_PREFERENCES_H
#define OZONE_PREFERENCES_H

#include <Preferences.h>
#include <stdio.h>
#include <string.h>

#include "OzoneStore.h"

template <uint16_t PLACES = 32>
class OzonePreferencesOf : public OzoneStore {
public:
    explicit OzonePreferencesOf(const char *space = "ozone") : _space(space) {}

    bool begin(oz_store &store) override {
        oz_store mine = {this, append, replace, next};
        char name[8];
        store = mine;
        if (!_flash.begin(_space, false)) return false;
        for (uint16_t i = 0; i < PLACES; i++) {
            _keys[i].boot = 0;
            size_t length = length_of(place(name, i));
            if (length > sizeof(oz_key) && length <= sizeof _record && _flash.getBytes(name, _record, length) == length)
                memcpy(&_keys[i], _record, sizeof(oz_key));
        }
        oz_key acked;
        if (length_of(slot(name, OZ_SLOT_ACKED)) == sizeof acked && _flash.getBytes(name, &acked, sizeof acked))
            forget(acked);
        return true;
    }

private:
    static const char *place(char *name, uint16_t number) {
        snprintf(name, 8, "q%u", number);
        return name;
    }

    static const char *slot(char *name, uint32_t number) {
        snprintf(name, 8, "s%u", static_cast<unsigned>(number));
        return name;
    }

    size_t length_of(const char *name) { return _flash.isKey(name) ? _flash.getBytesLength(name) : 0; }

    static bool after(oz_key one, oz_key other) {
        return one.boot > other.boot || (one.boot == other.boot && one.number > other.number);
    }

    void forget(oz_key acked) { /* a place is free by its key: nothing is erased for it */
        for (uint16_t i = 0; i < PLACES; i++)
            if (!after(_keys[i], acked)) _keys[i].boot = 0;
    }

    static int append(void *self, oz_key key, const void *bytes, size_t length) {
        OzonePreferencesOf *store = static_cast<OzonePreferencesOf *>(self);
        char name[8];
        uint16_t free = 0;
        if (!length || length > OZ_RECORD) return OZ_TOO_LONG;
        while (free < PLACES && store->_keys[free].boot) free++;
        if (free == PLACES) return OZ_FULL;
        memcpy(store->_record, &key, sizeof key);
        memcpy(store->_record + sizeof key, bytes, length);
        size_t size = sizeof key + length;
        if (store->_flash.putBytes(place(name, free), store->_record, size) != size)
            return store->_flash.freeEntries() * 32 < 2 * size ? OZ_FULL : OZ_BROKEN;
        store->_keys[free] = key;
        return OZ_OK;
    }

    static int replace(void *self, uint32_t number, const void *bytes, size_t length) {
        OzonePreferencesOf *store = static_cast<OzonePreferencesOf *>(self);
        char name[8];
        bool written = store->_flash.putBytes(slot(name, number), bytes, length) == length;
        if (number == OZ_SLOT_ACKED && length >= sizeof(oz_key)) {
            oz_key acked;
            memcpy(&acked, bytes, sizeof acked);
            store->forget(acked);
            if (!written) { /* what the server has makes room, whatever this flash has written down */
                for (uint16_t i = 0; i < PLACES; i++)
                    if (!store->_keys[i].boot && store->length_of(place(name, i))) store->_flash.remove(name);
                written = store->_flash.putBytes(slot(name, number), bytes, length) == length;
            }
        }
        return written ? OZ_OK : OZ_BROKEN;
    }

    static int next(void *self, oz_key behind, oz_key *found, void *into, size_t room) {
        OzonePreferencesOf *store = static_cast<OzonePreferencesOf *>(self);
        char name[8];
        if (!behind.boot)
            for (uint32_t number = behind.number + 1; number && number <= OZ_SLOT_REFUSED; number++) {
                size_t length = store->length_of(slot(name, number));
                if (!length) continue;
                found->boot = 0;
                found->number = number;
                if (length <= room) store->_flash.getBytes(name, into, length); /* of another size it is of no use */
                return static_cast<int>(length);
            }
        int best = -1;
        for (uint16_t i = 0; i < PLACES; i++)
            if (store->_keys[i].boot && after(store->_keys[i], behind) &&
                (best < 0 || after(store->_keys[best], store->_keys[i])))
                best = i;
        if (best < 0) return 0;
        size_t length = store->_flash.getBytesLength(place(name, static_cast<uint16_t>(best)));
        if (length <= sizeof(oz_key) || length > sizeof store->_record ||
            store->_flash.getBytes(name, store->_record, length) != length)
            return -1;
        *found = store->_keys[best];
        length -= sizeof(oz_key);
        if (room) memcpy(into, store->_record + sizeof(oz_key), length < room ? length : room);
        return static_cast<int>(length);
    }

    const char *_space;
    Preferences _flash;
    oz_key _keys[PLACES]; /* of the record in each place; boot 0: free */
    uint8_t _record[sizeof(oz_key) + OZ_RECORD];
};

using OzonePreferences = OzonePreferencesOf<>;

#endif
