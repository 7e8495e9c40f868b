/* The inside of a device: its size must be known to whoever has one, its members are nobody's business. */
#ifndef OZONE_INSIDE_H
#define OZONE_INSIDE_H

/* A reply as it comes in. */
typedef struct {
    uint8_t where;    /* enum in http.c */
    bool chunked, close, has_length;
    uint16_t status;
    uint8_t line;     /* bytes of the line that is being read */
    char text[72];    /* its beginning: no line that matters is longer */
    uint32_t left;    /* bytes of the body or chunk still to come */
    uint32_t retry_after; /* seconds */
    uint32_t date;    /* UTC seconds of the Date header; 0: none */
    uint16_t body;    /* bytes of the body kept at the beginning of the buffer */
    bool cut;         /* the body did not fit */
} oz_reply;

/* Walks through a poll's reply and keeps one command at a time. */
typedef struct {
    uint8_t depth;     /* of the braces and brackets that are open */
    bool text, escaped;
    bool commands;     /* inside the array "commands" */
    bool told;         /* there was one */
    uint8_t key;       /* bytes of the newest string at depth 1 */
    char name[12];     /* that string */
} oz_walk;

/* A command of which flash or the server must still hear, or whose id is remembered. */
typedef struct {
    char id[OZ_COMMAND_ID];
    uint8_t stage; /* enum in inside.h */
    bool success;
    bool on_flash; /* not repeatable: its stage stands on flash before anything is done */
    char message[OZ_SAID];
} oz_kept;

typedef struct {
    uint32_t boot, utc; /* UTC seconds at which that boot began; 0: it will never be known */
} oz_anchor;

typedef struct {
    char device_id[OZ_DEVICE_ID];
    char token[OZ_TOKEN];
    uint8_t nonce[4]; /* random, made with an empty store: ids begin with it */
    uint32_t boot;    /* the newest that made a record */
    uint8_t key[32];  /* AES-256; all zero: none */
} oz_identity;

typedef struct {
    oz_settings set;
    oz_platform platform;
    oz_store store;
    oz_transport net;

    oz_identity me;
    oz_key acked;       /* all up to it are done with */
    oz_key written;     /* as the flash has it */
    oz_key last;        /* the newest appended */
    uint32_t queued, dropped, refused;
    uint16_t since_ack;
    uint32_t moved;     /* millis of the last change of `acked`, or trial to write it */
    oz_anchor anchors[OZ_ANCHORS];
    bool booted;        /* this boot has a number: it made a record */
    bool anchored;      /* it has been decided how this boot's undated records are dated */
    bool undated;       /* this boot made some */
    uint32_t tenths, ticked, rest; /* 0.1 s since the start, told from a millis() that wraps */

    oz_kept commands[OZ_COMMANDS];
    bool restarting;

    oz_counters counters;
    bool counted;
    int rssi;
    uint32_t free_heap;
    bool reason_told;

    oz_state state;
    const char *why;
    bool known_bad;     /* the token was refused: shake hands and show it */
    uint32_t heard;     /* millis of the last reply */
    bool ever_heard;
    uint32_t clock_utc, clock_at; /* UTC by a reply's Date, and the tenths of then */

    /* the exchange under way */
    uint8_t phase, job;
    uint32_t since;     /* millis of the phase's beginning */
    bool open, reused;
    uint16_t sent, length; /* bytes of the request */
    oz_key upto;        /* last record in the request */
    uint16_t batch;     /* records in the request, all of one kind, less those that have made room since */
    bool fewer;         /* some have: the reply's results are not in step with what is queued */
    uint8_t kind;
    uint16_t batch_limit;
    uint32_t due[5];    /* by job: millis from which it may be tried */
    uint8_t fails[5];   /* by job: how often in a row it failed */
    oz_reply reply;
    oz_walk walk;
    char buffer[OZ_BUFFER];
} oz_device;

#endif
