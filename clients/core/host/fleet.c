/* Many machines in one process, for `simulate ozone --core`: each is the real core over a flash in memory that outlives its
 * restarts. Who calls is its network: takes whole requests, gives whole replies, and says what time it is.
 */
#include <stdlib.h>
#include <string.h>

#include "../include/ozone.h"

enum { RECORDS = 512, ROOM = OZ_RECORD, SLOT_ROOM = 1200 };

typedef struct {
    oz_device device;
    oz_settings settings;
    oz_platform platform;
    oz_store store;
    oz_transport net;
    uint32_t now, utc;
    bool (*obey)(const char *type);
    bool restarts;

    struct {
        oz_key key;
        size_t length;
        uint8_t bytes[ROOM];
    } records[RECORDS];
    int count;
    struct {
        size_t length;
        uint8_t bytes[SLOT_ROOM];
    } slots[OZ_SLOT_REFUSED + 1];

    char asked[OZ_BUFFER]; /* the request, as far as it is written */
    size_t asked_length;
    const char *reply; /* what of it is still to be read; the caller's, for one tick */
    size_t reply_length;
    bool broke;
    char host[256], mac[18], firmware[33];
} fleet_machine;

static bool after(oz_key one, oz_key other) {
    return one.boot > other.boot || (one.boot == other.boot && one.number > other.number);
}

static int append(void *self, oz_key key, const void *bytes, size_t length) {
    fleet_machine *machine = self;
    if (machine->count == RECORDS) return OZ_FULL;
    machine->records[machine->count].key = key;
    machine->records[machine->count].length = length;
    memcpy(machine->records[machine->count++].bytes, bytes, length);
    return OZ_OK;
}

static int replace(void *self, uint32_t slot, const void *bytes, size_t length) {
    fleet_machine *machine = self;
    if (slot > OZ_SLOT_REFUSED || length > SLOT_ROOM) return OZ_BROKEN;
    memcpy(machine->slots[slot].bytes, bytes, length);
    machine->slots[slot].length = length;
    if (slot != OZ_SLOT_ACKED) return OZ_OK;
    oz_key acked;
    int gone = 0;
    memcpy(&acked, bytes, sizeof acked);
    while (gone < machine->count && !after(machine->records[gone].key, acked)) gone++;
    machine->count -= gone;
    memmove(machine->records, machine->records + gone, sizeof machine->records[0] * (size_t)machine->count);
    return OZ_OK;
}

static int give(const uint8_t *bytes, size_t length, void *into, size_t room) {
    if (room) memcpy(into, bytes, length < room ? length : room);
    return (int)length;
}

static int next(void *self, oz_key behind, oz_key *found, void *into, size_t room) {
    fleet_machine *machine = self;
    if (!behind.boot)
        for (uint32_t slot = behind.number + 1; slot && slot <= OZ_SLOT_REFUSED; slot++)
            if (machine->slots[slot].length) {
                found->boot = 0;
                found->number = slot;
                return give(machine->slots[slot].bytes, machine->slots[slot].length, into, room);
            }
    for (int i = 0; i < machine->count; i++)
        if (after(machine->records[i].key, behind)) {
            *found = machine->records[i].key;
            return give(machine->records[i].bytes, machine->records[i].length, into, room);
        }
    return 0;
}

static int open_net(void *self, const char *host, uint16_t port, uint32_t budget) {
    fleet_machine *machine = self;
    (void)host, (void)port, (void)budget;
    machine->broke = false;
    return 1;
}

static int write_net(void *self, const void *bytes, size_t length) {
    fleet_machine *machine = self;
    if (length > sizeof machine->asked - machine->asked_length) return -1;
    memcpy(machine->asked + machine->asked_length, bytes, length);
    machine->asked_length += length;
    return (int)length;
}

static int read_net(void *self, void *into, size_t room) {
    fleet_machine *machine = self;
    size_t length = machine->reply_length < room ? machine->reply_length : room;
    if (!length) return machine->broke ? -1 : 0;
    memcpy(into, machine->reply, length);
    machine->reply += length;
    machine->reply_length -= length;
    return (int)length;
}

static void close_net(void *self) {
    fleet_machine *machine = self;
    machine->asked_length = machine->reply_length = 0;
}

static uint32_t milliseconds(void *self) { return ((fleet_machine *)self)->now; }
static uint32_t utc(void *self) { return ((fleet_machine *)self)->utc; }
static void restart(void *self) { ((fleet_machine *)self)->restarts = true; }

static void random_bytes(void *self, void *into, size_t length) {
    (void)self;
    for (size_t i = 0; i < length; i++) ((uint8_t *)into)[i] = (uint8_t)(rand() >> 7);
}

static bool handle(void *self, const oz_command *command, oz_result *result) {
    result->success = ((fleet_machine *)self)->obey(command->type);
    strcpy(result->message, result->success ? "done" : "is not supported");
    return true;
}

/* A machine with an empty flash; NULL without memory. `obey` says whether a command went well. */
fleet_machine *fleet_new(const char *host, uint16_t port, const char *mac, const char *firmware, uint32_t poll_ms,
                         uint32_t timeout_ms, bool (*obey)(const char *type), unsigned seed) {
    fleet_machine *machine = calloc(1, sizeof *machine);
    if (!machine) return NULL;
    oz_platform platform = {.self = machine, .millis = milliseconds, .utc = utc, .random = random_bytes, .restart = restart};
    oz_store store = {machine, append, replace, next};
    oz_transport net = {machine, open_net, write_net, read_net, close_net};
    srand(seed);
    strncpy(machine->host, host, sizeof machine->host - 1);
    strncpy(machine->mac, mac, sizeof machine->mac - 1);
    strncpy(machine->firmware, firmware, sizeof machine->firmware - 1);
    machine->platform = platform;
    machine->store = store;
    machine->net = net;
    machine->obey = obey;
    machine->settings.host = machine->host;
    machine->settings.port = port;
    machine->settings.mac = machine->mac;
    machine->settings.firmware = machine->firmware;
    machine->settings.reset_reason = "simulated";
    machine->settings.poll_ms = poll_ms;
    machine->settings.timeout_ms = timeout_ms;
    machine->settings.capacity = RECORDS - 32;
    machine->settings.handler = handle;
    machine->settings.handler_self = machine;
    return machine;
}

void fleet_free(fleet_machine *machine) { free(machine); }

/* Power on. */
int fleet_begin(fleet_machine *machine, uint32_t now, uint32_t seconds) {
    machine->now = now;
    machine->utc = seconds;
    machine->restarts = machine->broke = false;
    close_net(machine);
    return oz_begin(&machine->device, &machine->settings, &machine->platform, &machine->store, &machine->net);
}

/* Lets it work, with the reply to its request when `length` is positive, without one for ever when it is negative. */
void fleet_tick(fleet_machine *machine, uint32_t now, uint32_t seconds, const char *reply, int32_t length) {
    machine->now = now;
    machine->utc = seconds;
    machine->reply = reply;
    machine->reply_length = length > 0 ? (size_t)length : 0;
    machine->broke = length < 0;
    if (length) machine->asked_length = 0;
    oz_tick(&machine->device, 50);
    machine->reply_length = 0;
}

/* Bytes of the request that waits for its reply; 0: none. */
uint32_t fleet_request(const fleet_machine *machine, char *into) {
    memcpy(into, machine->asked, machine->asked_length);
    return (uint32_t)machine->asked_length;
}

/* `counters`: three of them, or NULL. */
int fleet_press(fleet_machine *machine, int treatment, uint32_t counter, const uint32_t *counters, uint32_t now,
                uint32_t seconds) {
    oz_counters all = {0, 0, 0};
    if (counters) memcpy(&all, counters, sizeof all);
    machine->now = now;
    machine->utc = seconds;
    return oz_press(&machine->device, (oz_treatment)treatment, counter, counters ? &all : NULL);
}

void fleet_count(fleet_machine *machine, const uint32_t *counters) {
    oz_counters all;
    memcpy(&all, counters, sizeof all);
    oz_count(&machine->device, all);
}

bool fleet_restarts(const fleet_machine *machine) { return machine->restarts; }

bool fleet_is_enrolled(const fleet_machine *machine) {
    return machine->device.me.token[0] && !machine->device.known_bad && oz_state_of(&machine->device) != OZ_WAITING_FOR_OPERATOR;
}

const char *fleet_why(const fleet_machine *machine) { return oz_why(&machine->device); }

/* Keys: the newest record's boot and number, then those of the last one that is done with; the random part of ids. */
void fleet_keys(const fleet_machine *machine, uint32_t keys[4], uint8_t nonce[4]) {
    keys[0] = machine->device.last.boot;
    keys[1] = machine->device.last.number;
    keys[2] = machine->device.acked.boot;
    keys[3] = machine->device.acked.number;
    memcpy(nonce, machine->device.me.nonce, 4);
}
