/* Ozone Telemetry, the device's half of the promise: what oz_press() and oz_reading() take with OZ_OK is on flash, and
 * leaves the flash only when the server has said that it is stored.
 *
 * Plain C99, no heap, one buffer (OZ_BUFFER). Nothing here blocks: oz_tick() works for as long as it is told to, over a
 * transport of four functions, a store of three and a platform of three. All strings are UTF-8 and end in NUL.
 */
#ifndef OZONE_H
#define OZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef OZ_BUFFER
#define OZ_BUFFER 2048 /* bytes: a request, then its reply, and the longest command that can be read */
#endif
#ifndef OZ_RECORD
#define OZ_RECORD 512 /* bytes: the longest record of the queue, its 12 bytes of head included */
#endif
#ifndef OZ_BATCH
#define OZ_BATCH 20 /* records in one request at most; as many as fit into the buffer */
#endif
#define OZ_COMMANDS 10    /* a poll brings so many at most */
#define OZ_ANCHORS 6      /* boots whose undated records can be dated later */
#define OZ_DEVICE_ID 64   /* with its NUL */
#define OZ_TOKEN 128      /* with its NUL */
#define OZ_COMMAND_ID 37  /* a UUID and its NUL */
#define OZ_SAID 48        /* what a handler answers, with its NUL */

/* Results of functions; 0 is good. */
enum {
    OZ_OK = 0,
    OZ_FULL = -1,    /* the queue is full, and the policy says refuse: nothing was taken */
    OZ_TOO_LONG = -2, /* longer than OZ_RECORD */
    OZ_BROKEN = -3,  /* the store could not write: nothing was taken */
    OZ_NOT_BEGUN = -4,
    OZ_INVALID = -5  /* no JSON object, or no such treatment */
};

/* ------------------------------------------------------------------ the store: flash, three functions */

/* A record's key: which boot of the device made it, and its number in that boot. Keys grow and are never used twice. */
typedef struct {
    uint32_t boot;
    uint32_t number;
} oz_key;

/* Keys of boot 0 are slots: small values that are replaced. Their order here is their number. */
enum { OZ_SLOT_IDENTITY = 1, OZ_SLOT_ACKED, OZ_SLOT_COMMANDS, OZ_SLOT_ANCHORS, OZ_SLOT_REFUSED };

typedef struct {
    void *self;
    /* Keeps a record behind all others. OZ_OK only when it survives a power cut; OZ_FULL; OZ_BROKEN. */
    int (*append)(void *self, oz_key key, const void *bytes, size_t length);
    /* Replaces a slot: after a power cut the old or the new value is there, whole. The value of OZ_SLOT_ACKED begins with
     * a key (boot, number; host order): records up to it may be forgotten. */
    int (*replace)(void *self, uint32_t slot, const void *bytes, size_t length);
    /* The first record or slot whose key is greater than `after`: its length, its key in `found`, its bytes in `into`
     * (at most `room`); 0 when there is none. A torn or damaged record is left out. */
    int (*next)(void *self, oz_key after, oz_key *found, void *into, size_t room);
} oz_store;

/* ------------------------------------------------------------------ the transport: one connection, four functions */

typedef struct {
    void *self;
    /* Begins or goes on to connect, for `budget` ms at most: 1 connected, 0 not yet, negative: cannot.
     * A TLS handshake that cannot be cut into pieces may take longer: its bound belongs into the transport's documents. */
    int (*open)(void *self, const char *host, uint16_t port, uint32_t budget);
    /* Gives or takes what is possible at once: the number of bytes, 0 for none now, negative when the connection is gone. */
    int (*write)(void *self, const void *bytes, size_t length);
    int (*read)(void *self, void *into, size_t room);
    void (*close)(void *self);
} oz_transport;

/* ------------------------------------------------------------------ the platform */

typedef struct {
    void *self;
    uint32_t (*millis)(void *self);                               /* monotonic, may wrap */
    uint32_t (*utc)(void *self);                                  /* seconds since 1970; 0 while not known */
    void (*random)(void *self, void *into, size_t length);        /* from hardware: the ids depend on it */
    void (*restart)(void *self);                                  /* for REBOOT_DEVICE; NULL: cannot */
#ifdef OZ_ENCRYPT
    /* AES-256-GCM: ciphertext and 16 bytes of tag into `into` (length + 16). 0 when done. */
    int (*seal)(void *self, const uint8_t key[32], const uint8_t nonce[12], const void *plain, size_t length, uint8_t *into);
#endif
} oz_platform;

/* ------------------------------------------------------------------ commands */

typedef struct {
    const char *id;
    const char *type;
    const char *payload; /* JSON text of the payload, "{}" when there is none */
} oz_command;

typedef struct {
    bool success;
    char message[OZ_SAID]; /* a short sentence for the operator */
} oz_result;

/* Carries out a command; false when its type is not known. It may take its time only as long as the watchdog lives. */
typedef bool (*oz_handler)(void *self, const oz_command *command, oz_result *result);

/* ------------------------------------------------------------------ the device */

typedef enum { OZ_BASIC, OZ_STANDARD, OZ_PREMIUM } oz_treatment;

typedef struct {
    uint32_t basic, standard, premium;
} oz_counters;

typedef enum {
    OZ_OFFLINE,              /* nothing heard from the server yet, or not lately */
    OZ_ENROLLING,            /* asks for a token */
    OZ_WAITING_FOR_OPERATOR, /* known to the server, not assigned: somebody must assign it there */
    OZ_ONLINE,
    OZ_BLOCKED               /* the server refuses it: oz_why() says what to do */
} oz_state;

typedef enum { OZ_MACHINE, OZ_METER } oz_kind;

typedef struct {
    const char *host; /* of the server; goes into the Host header, too */
    uint16_t port;
    oz_kind kind;
    const char *mac;         /* "EC:E3:34:46:2B:C0" */
    const char *firmware;    /* at most 64 characters */
    const char *reset_reason; /* told once after each start; NULL: not told */
    const char *claim_token; /* a meter's provisioning token, used while there is no key */
    uint32_t poll_ms;        /* between two polls; 0: 30,000 */
    uint16_t held_poll_s;    /* a poll is held up to so long (≤ 30); 0: answered at once */
    uint16_t capacity;       /* records the queue takes; 0: 1,000 */
    bool drop_oldest;        /* when it is full: the oldest makes room and is counted; else the new one is refused */
    uint16_t ack_every;      /* the acknowledgement is written after so many; 0: 16. Late writing is safe and spares flash */
    uint32_t timeout_ms;     /* of each wait: connect, write, reply; 0: 8,000 */
    oz_handler handler;      /* NULL: what is not carried out here fails as unknown */
    void *handler_self;
} oz_settings;

#include "ozone_inside.h"

/* Reads the flash, never the network: OZ_OK, or OZ_BROKEN when not even the store answers. The structs must stay. */
int oz_begin(oz_device *device, const oz_settings *settings, const oz_platform *platform, const oz_store *store,
             const oz_transport *transport);

/* Works for `budget` ms at most, as far as the transport keeps to its own. From the main loop, as often as it likes. */
void oz_tick(oz_device *device, uint32_t budget);

/* A press. OZ_OK means that it is on flash. `counter`: the treatment's own; `all`: NULL when not to be told. */
int oz_press(oz_device *device, oz_treatment treatment, uint32_t counter, const oz_counters *all);

/* A meter's reading, a JSON object as text. OZ_OK means that it is on flash. */
int oz_reading(oz_device *device, const char *json);

/* The counters that results of commands tell. */
void oz_count(oz_device *device, oz_counters counters);

/* What polls and events tell beside: `rssi` in dBm (0: not told), `free_heap` in bytes (0: not told). */
void oz_vitals(oz_device *device, int rssi, uint32_t free_heap);

/* Takes over an identity from elsewhere (an earlier firmware's EEPROM), unless there is one. */
int oz_adopt(oz_device *device, const char *device_id, const char *token);

/* Forgets the token on flash; the next tick asks for another. */
int oz_forget(oz_device *device);

oz_state oz_state_of(const oz_device *device);
const char *oz_why(const oz_device *device);        /* a sentence for a display; never a secret */
const char *oz_device_id(const oz_device *device);  /* "" while there is none */
uint32_t oz_queued(const oz_device *device);        /* records that the server has not yet confirmed */
uint32_t oz_dropped(const oz_device *device);       /* records that made room, since the start */
uint32_t oz_refused(const oz_device *device);       /* records that the server refused as invalid, since the start */
bool oz_can_sleep(const oz_device *device);         /* nothing is queued, under way or unwritten */
uint32_t oz_now(const oz_device *device);           /* UTC seconds by clock or by the server's Date; 0: not known */

#ifdef __cplusplus
}
#endif
#endif
