/* A treatment machine or a meter on an Arduino. What press() and reading() take with `true` is in the store, and leaves it
 * only when the server has said that it is stored.
 *
 * All strings given here are kept by their address: they must stay. Nothing here uses the heap.
 */
#ifndef OZONE_DEVICE_H
#define OZONE_DEVICE_H

#include "OzoneLink.h"
#include "OzoneStore.h"

using OzoneCounters = oz_counters;
using OzoneCommand = oz_command; /* id, type, payload: JSON text */
using OzoneReply = oz_result;    /* success, message: 47 characters */

class OzoneDevice {
public:
    enum { COMMANDS = 8 }; /* handlers at most */

    /* Over any Client: connect() waits as long as that client does. Over OzoneTcp or OzoneTls a tick keeps to its budget. */
    OzoneDevice(Client &client, OzoneStore &store) : _any(&client), _link(_any), _store(store) { start(); }
    OzoneDevice(OzoneLink &link, OzoneStore &store) : _any(nullptr), _link(link), _store(store) { start(); }

    /* ---- before begin() */

    OzoneDevice &server(const char *host, uint16_t port = 443);
    /* A machine: its MAC, "EC:E3:34:46:2B:C0", and its firmware's name, at most 64 characters. */
    OzoneDevice &identity(const char *mac, const char *firmware);
    /* A meter: the provisioning token from the server's page, used while there is no key. */
    OzoneDevice &claim(const char *token);
    OzoneDevice &clock(uint32_t (*utc)());       /* seconds since 1970, 0 while not known; without: time(), then the server's */
    OzoneDevice &network(bool (*up)());          /* while it says false, nothing is tried */
    OzoneDevice &restart(void (*now)());         /* for REBOOT_DEVICE; without: it fails as "cannot" */
    OzoneDevice &resetReason(const char *words); /* told once after this start */
    OzoneDevice &entropy(void (*fill)(uint8_t *into, size_t length)); /* hardware's; needed where the board is not known here */
    OzoneDevice &poll(uint32_t everyMs);         /* for commands; 30,000 */
    OzoneDevice &holdPolls(uint16_t seconds);    /* ≤ 30: commands arrive at once, and the connection is always occupied */
    OzoneDevice &capacity(uint16_t records);     /* 1,000 */
    OzoneDevice &dropOldest(bool yes = true);    /* a full queue forgets its oldest, and counts it; else it refuses the new one */
    /* Carries out a command of that type: fill in the reply and return true; false: "unknown command". REBOOT_DEVICE,
     * CLEAR_QUEUE and SYNC_TIME are carried out by the library; CLEAR_MEMORY, too, after a handler of yours. */
    OzoneDevice &onCommand(const char *type, bool (*carryOut)(const OzoneCommand &, OzoneReply &));

    /* Reads the store, never the network. False: the store does not answer, or this board has no random numbers: why(). */
    bool begin();

    /* ---- from loop() */

    void tick(uint32_t budgetMs = 50);
    bool press(oz_treatment treatment, uint32_t counter, const OzoneCounters &all);
    bool reading(const char *json); /* an object, at most 490 bytes; written densely, as {"voltage":228.4} */
    void count(const OzoneCounters &all) { oz_count(&_device, all); } /* what results of commands tell */
    void vitals(int rssi, uint32_t freeHeap) { oz_vitals(&_device, rssi, freeHeap); }

    /* ---- what it is like */

    oz_state state() const { return oz_state_of(&_device); }
    const char *stateName() const; /* one or two words for a display */
    const char *why() const { return _trouble ? _trouble : oz_why(&_device); } /* a sentence; never a secret */
    const char *deviceId() const { return oz_device_id(&_device); }
    uint32_t queued() const { return oz_queued(&_device); }
    uint32_t dropped() const { return oz_dropped(&_device); }
    uint32_t refused() const { return oz_refused(&_device); }
    bool canSleep() const { return oz_can_sleep(&_device); }
    int lastResult() const { return _result; } /* of press() and reading(): OZ_OK, OZ_FULL, OZ_TOO_LONG, OZ_BROKEN, OZ_INVALID */

    /* ---- behind begin() */

    /* Takes over the identity of an earlier firmware, unless there is one. False: it is none, or the flash refused. */
    bool adopt(const char *deviceId, const char *token) { return oz_adopt(&_device, deviceId, token) == OZ_OK; }
    bool forgetToken() { return oz_forget(&_device) == OZ_OK; }

private:
    struct Handler {
        const char *type;
        bool (*carryOut)(const OzoneCommand &, OzoneReply &);
    };
    void start();
    static bool handle(void *self, const oz_command *command, oz_result *result);

    OzoneClientLink _any; /* around a Client; of no use around a link */
    OzoneLink &_link;
    OzoneStore &_store;
    oz_device _device;
    oz_settings _settings;
    uint32_t (*_utc)() = nullptr;
    bool (*_up)() = nullptr;
    void (*_restart)() = nullptr;
    void (*_entropy)(uint8_t *, size_t) = nullptr;
    Handler _handlers[COMMANDS];
    uint8_t _handler_count = 0;
    const char *_trouble = nullptr; /* of begin() */
    int _result = OZ_NOT_BEGUN;
};

#endif
