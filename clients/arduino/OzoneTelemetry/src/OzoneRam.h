/* Records in RAM, identity on flash: for what no flash can take. A meter's 50 readings a second would wear out a chip's
 * flash within days. **Here `true` does not mean "on flash"**: a reading outlives a lost network, as long as there is
 * room, and no lost power. Machines' presses belong into OzoneLittleFS or OzonePreferences.
 */
#ifndef OZONE_RAM_H
#define OZONE_RAM_H

#include <string.h>

#include "OzoneStore.h"

template <size_t BYTES = 65536>
class OzoneRam : public OzoneStore {
public:
    /* `flash`: the store of the identity. */
    explicit OzoneRam(OzoneStore &flash) : _slots(flash) {}

    bool begin(oz_store &store) override {
        oz_store mine = {this, append, replace, next};
        store = mine;
        _first = _used = _at = 0;
        return _slots.begin(_flash);
    }

private:
    struct Head {
        oz_key key;
        uint16_t length;
    };

    void copy_in(size_t at, const void *bytes, size_t length) {
        for (size_t i = 0; i < length; i++) _ring[(at + i) % BYTES] = static_cast<const uint8_t *>(bytes)[i];
    }

    void copy_out(size_t at, void *bytes, size_t length) const {
        for (size_t i = 0; i < length; i++) static_cast<uint8_t *>(bytes)[i] = _ring[(at + i) % BYTES];
    }

    Head head(size_t behind) const {
        Head head;
        copy_out(_first + behind, &head, sizeof head);
        return head;
    }

    static bool after(oz_key one, oz_key other) {
        return one.boot > other.boot || (one.boot == other.boot && one.number > other.number);
    }

    static int append(void *self, oz_key key, const void *bytes, size_t length) {
        OzoneRam *store = static_cast<OzoneRam *>(self);
        Head head = {key, static_cast<uint16_t>(length)};
        if (!length || length > OZ_RECORD) return OZ_TOO_LONG;
        if (store->_used + sizeof head + length > BYTES) return OZ_FULL;
        store->copy_in(store->_first + store->_used, &head, sizeof head);
        store->copy_in(store->_first + store->_used + sizeof head, bytes, length);
        store->_used += sizeof head + length;
        return OZ_OK;
    }

    static int replace(void *self, uint32_t number, const void *bytes, size_t length) {
        OzoneRam *store = static_cast<OzoneRam *>(self);
        if (number == OZ_SLOT_REFUSED) return OZ_OK; /* as often as the records themselves: not for the flash */
        if (number != OZ_SLOT_ACKED) return store->_flash.replace(store->_flash.self, number, bytes, length);
        oz_key acked;
        memcpy(&acked, bytes, sizeof acked);
        store->_at = 0;
        while (store->_used && !after(store->head(0).key, acked)) {
            size_t size = sizeof(Head) + store->head(0).length;
            store->_first = (store->_first + size) % BYTES;
            store->_used -= size;
        }
        return OZ_OK;
    }

    static int next(void *self, oz_key behind, oz_key *found, void *into, size_t room) {
        OzoneRam *store = static_cast<OzoneRam *>(self);
        if (!behind.boot) {
            int length = store->_flash.next(store->_flash.self, behind, found, into, room);
            if (length && (length < 0 || !found->boot)) return length;
        }
        if (store->_at >= store->_used || after(store->head(store->_at).key, behind)) store->_at = 0; /* else from there on */
        for (; store->_at < store->_used; store->_at += sizeof(Head) + store->head(store->_at).length) {
            Head at = store->head(store->_at);
            if (!after(at.key, behind)) continue;
            *found = at.key;
            store->copy_out(store->_first + store->_at + sizeof at, into, at.length < room ? at.length : room);
            return at.length;
        }
        return 0;
    }

    OzoneStore &_slots;
    oz_store _flash;
    size_t _first = 0, _used = 0; /* bytes of the ring */
    size_t _at = 0;               /* of the record that was found last, from `_first` on */
    uint8_t _ring[BYTES];
};

#endif
