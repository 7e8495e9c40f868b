/* What the parts of the core know of each other. */
#ifndef OZONE_SRC_INSIDE_H
#define OZONE_SRC_INSIDE_H

#include "../include/ozone.h"

/* ------------------------------------------------------------------ text.c: writing and reading JSON */

typedef struct {
    char *at, *end;
    bool full; /* something did not fit; what was written is not to be used */
} oz_writer;

void oz_put(oz_writer *writer, const char *text);
void oz_put_bytes(oz_writer *writer, const char *bytes, size_t length);
void oz_put_number(oz_writer *writer, uint32_t number);
void oz_put_member(oz_writer *writer, const char *before, uint32_t number); /* text, and a number behind it */
void oz_put_hex(oz_writer *writer, const uint8_t *bytes, size_t length);
void oz_put_text(oz_writer *writer, const char *text); /* quoted and escaped */
void oz_put_query(oz_writer *writer, const char *text);  /* as the value of a query's parameter */
/* Days from 1970 to the first of a month, told as months since January 1970; until 2106. */
uint32_t oz_days(uint32_t month);
void oz_put_instant(oz_writer *writer, uint32_t utc);   /* 2026-11-27T20:00:00Z, quoted */

typedef struct {
    const char *at;
    size_t length;
} oz_slice;

/* Behind the JSON value at `at`, NULL when there is none: depth ≤ 16, no check of what strings and numbers hold. */
const char *oz_json_skip(const char *at, const char *end);
/* The value of the member `name` of the object in `json`, cut short or not. */
bool oz_json_get(oz_slice json, const char *name, oz_slice *value);
/* The next element of an array; `at` is moved on, and begins at the array's first byte. */
bool oz_json_each(oz_slice array, const char **at, oz_slice *value);
/* A string, decoded; false when it is none, too long, or escapes what is no ASCII: no name, token or type here does. */
bool oz_json_text(oz_slice value, char *into, size_t room);
/* The member `name` as a string; false when there is none, or it is too long. */
bool oz_json_text_of(oz_slice json, const char *name, char *into, size_t room);
bool oz_json_true_of(oz_slice json, const char *name);
bool oz_json_true(oz_slice value);
bool oz_json_is(oz_slice value, const char *text);
int oz_nibble(char c); /* of a hex digit; -1: none */
/* Whether `text` may stand in a head: not empty, visible ASCII, and none of `but`. */
#define OZ_NOT_IN_A_PATH "/?#%\\"
bool oz_plain(const char *text, const char *but);

/* ------------------------------------------------------------------ http.c: a reply as it comes in */

typedef enum { OZ_MORE = 0, OZ_DONE = 1, OZ_NONSENSE = -1 } oz_progress;

void oz_reply_begin(oz_device *device);
/* `body` hears each byte of the body. */
oz_progress oz_reply_feed(oz_device *device, const char *bytes, size_t length, void (*body)(oz_device *, char));
/* The connection ended: is the reply whole? */
bool oz_reply_ended(const oz_device *device);
void oz_keep_body(oz_device *device, char byte);

/* A request in the buffer: begin, write the path, head, write the body, end (false when it did not fit). */
typedef struct {
    oz_writer out;
    char *length_at; /* where the length is filled in */
    char *body;
} oz_request;

void oz_request_begin(oz_device *device, oz_request *request, const char *method);
void oz_request_head(oz_device *device, oz_request *request, bool has_body);
bool oz_request_end(oz_device *device, oz_request *request);

/* ------------------------------------------------------------------ queue.c */

enum { OZ_EVENT, OZ_READING }; /* kinds of records */

#define OZ_HEAD 14 /* of a record: kind, flags, nonce (4), UTC seconds (4), tenths since the boot (4) */

/* Reads a slot; false, and zeros, where it is not there or of another size. */
bool oz_slot(oz_device *device, uint32_t which, void *into, size_t size);
int oz_queue_begin(oz_device *device);
/* `record`: OZ_HEAD bytes, filled in here, and the JSON behind them without its end; `length` of both. */
int oz_queue_append(oz_device *device, uint8_t kind, uint8_t *record, size_t length);
/* Writes the body of a request: as many records as fit, at most `most`. Their number; 0 when nothing is there. */
/* Whether `id`, as JSON, is the record's, of a store that never lost its identity. */
bool oz_queue_is(const oz_device *device, oz_key key, oz_slice id);
uint16_t oz_queue_compose(oz_device *device, oz_writer *out, uint16_t most);
void oz_queue_passed(oz_device *device, oz_key upto, uint32_t count);
void oz_queue_refuse(oz_device *device, oz_key key); /* keeps a copy of it aside; it is passed by the caller */
void oz_queue_write_ack(oz_device *device);
void oz_queue_anchor(oz_device *device, uint32_t utc);
bool oz_queue_clear(oz_device *device);
bool oz_after(oz_key one, oz_key other);
oz_key oz_first_after(oz_device *device, oz_key key); /* boot 0 when there is none */

/* ------------------------------------------------------------------ commands.c */

enum { OZ_FREE, OZ_BEGUN, OZ_REBOOTING, OZ_TO_REPORT, OZ_REPORTED };

void oz_commands_begin(oz_device *device);
void oz_walk_begin(oz_device *device);
void oz_walk_feed(oz_device *device, char byte);
oz_kept *oz_commands_next(oz_device *device); /* one whose result is to be told; NULL */
void oz_commands_compose(oz_device *device, oz_writer *out, const oz_kept *kept);
void oz_commands_told(oz_device *device, oz_kept *kept);

/* ------------------------------------------------------------------ ozone.c */

enum { OZ_HELLO, OZ_RESULT, OZ_SEND, OZ_POLL, OZ_TIME, OZ_NO_JOB }; /* jobs; `due` and `fails` are by them */
enum { OZ_IDLE, OZ_OPENING, OZ_WRITING, OZ_READING_REPLY };          /* phases of an exchange */
enum { OZ_BLOCKED_MS = 300000, OZ_HELLO_MS = 30000 };

extern const char oz_no_flash[]; /* a sentence */
void oz_turn(oz_device *device, oz_state state, const char *why);
void oz_close(oz_device *device);
void oz_later(oz_device *device, uint8_t job);         /* backs off */
void oz_failed(oz_device *device, const char *why);    /* the exchange under way came to nothing */
void oz_nonsense(oz_device *device);                   /* the reply was none of this server's */

uint32_t oz_millis(const oz_device *device);
int oz_save_identity(oz_device *device);

/* ------------------------------------------------------------------ tell.c, requests.c, replies.c */

void oz_put_vitals(oz_device *device, oz_writer *out, bool query); /* `,"rssi":…` as JSON members, or `&rssi=…` */
void oz_put_counters(oz_writer *out, const oz_counters *counters); /* `,"current_counters":{…}` */
bool oz_compose(oz_device *device, uint8_t job); /* the request of `job` in the buffer; false when there is none to make */
void oz_answered(oz_device *device);              /* the whole reply is there */

#endif
