/* HTTP/1.1 as far as a device needs it: one request, one reply, on a connection that is kept. */
#include "inside.h"

#include <string.h>

#define MOST 2000000000u

enum { STATUS_LINE, HEADER, BODY, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER, WHOLE };

void oz_reply_begin(oz_device *device) { memset(&device->reply, 0, sizeof device->reply); }

static bool same(const char *at, const char *lower, size_t length) {
    for (size_t i = 0; i < length; i++)
        if ((at[i] | 0x20) != (lower[i] | 0x20)) return false;
    return true;
}

/* The value of the header in `line` when it is called `name` (which ends in a colon); NULL otherwise. */
static const char *header(const char *line, const char *name) {
    size_t length = strlen(name);
    if (strlen(line) < length || !same(line, name, length)) return NULL;
    line += length;
    while (*line == ' ' || *line == '\t') line++;
    return line;
}

/* Digits at `text`, past MOST / 10 some number that is greater than that; false when there are none. */
static bool digits(const char *text, uint32_t *number) {
    const char *at = text;
    uint32_t value = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        if (value <= MOST / 10) value = value * 10 + (uint32_t)(*at - '0');
    *number = value;
    return at > text;
}

/* "Fri, 27 Nov 2026 20:01:02 GMT" as UTC seconds; 0 when it is none. */
static uint32_t date(const char *text) {
    static const char months[] = "janfebmaraprmayjunjulaugsepoctnovdec";
    static const uint8_t places[] = {5, 12, 17, 20, 23};
    static const uint16_t most[] = {31, 2105, 23, 59, 60};
    uint32_t told[5], month = 0; /* day, year, hour, minute, second */
    if (strlen(text) < 29) return 0;
    for (int i = 0; i < 5; i++)
        if (!digits(text + places[i], told + i) || told[i] > most[i]) return 0;
    while (month < 12 && !same(text + 8, months + 3 * month, 3)) month++;
    if (month == 12 || told[1] < 2020 || !told[0]) return 0;
    return (oz_days((told[1] - 1970) * 12 + month) + told[0] - 1) * 86400 + told[2] * 3600 + told[3] * 60 + told[4];
}

static oz_progress status_line(oz_reply *reply) {
    uint32_t status;
    if (strlen(reply->text) < 12 || strncmp(reply->text, "HTTP/1.", 7) || reply->text[8] != ' ' ||
        !digits(reply->text + 9, &status) || status < 100 || status > 999)
        return OZ_NONSENSE;
    reply->status = (uint16_t)status;
    reply->close = reply->text[7] == '0';
    reply->where = HEADER;
    return OZ_MORE;
}

static oz_progress one_header(oz_reply *reply) {
    const char *value;
    uint32_t number;
    if ((value = header(reply->text, "content-length:"))) {
        if (!digits(value, &number) || number > MOST / 10 || (reply->has_length && number != reply->left)) return OZ_NONSENSE;
        reply->left = number;
        reply->has_length = true;
    } else if ((value = header(reply->text, "transfer-encoding:"))) {
        if (strlen(value) < 7 || !same(value, "chunked", 7)) return OZ_NONSENSE;
        reply->chunked = true;
    } else if ((value = header(reply->text, "connection:"))) {
        if (strlen(value) >= 5 && same(value, "close", 5)) reply->close = true;
    } else if ((value = header(reply->text, "retry-after:"))) {
        if (digits(value, &number)) reply->retry_after = number < 3600 ? number : 3600;
    } else if ((value = header(reply->text, "date:"))) {
        reply->date = date(value);
    }
    return OZ_MORE;
}

static oz_progress head_ended(oz_reply *reply) {
    if (reply->status < 200) { /* 100 Continue and its like: the reply proper follows */
        uint32_t date_told = reply->date;
        memset(reply, 0, sizeof *reply);
        reply->date = date_told;
        return OZ_MORE;
    }
    if (reply->status == 204 || reply->status == 304) {
        reply->where = WHOLE;
        return OZ_DONE;
    }
    if (reply->chunked) {
        reply->where = CHUNK_SIZE;
        return OZ_MORE;
    }
    if (!reply->has_length) reply->close = true; /* until the connection ends */
    reply->where = reply->has_length && !reply->left ? WHOLE : BODY;
    return reply->where == WHOLE ? OZ_DONE : OZ_MORE;
}

static oz_progress chunk_size(oz_reply *reply) {
    uint32_t size = 0;
    const char *at = reply->text;
    for (; *at && *at != ';' && *at != ' '; at++) {
        int digit = oz_nibble(*at);
        if (digit < 0 || size > 0x7ffffff) return OZ_NONSENSE;
        size = size << 4 | (uint32_t)digit;
    }
    if (at == reply->text) return OZ_NONSENSE;
    reply->left = size;
    reply->where = size ? CHUNK : TRAILER;
    return OZ_MORE;
}

static oz_progress line_ended(oz_reply *reply) {
    reply->text[reply->line] = 0;
    bool empty = !reply->line;
    reply->line = 0;
    switch (reply->where) {
    case STATUS_LINE:
        return empty ? OZ_MORE : status_line(reply); /* a stray end of line before a reply is passed over */
    case HEADER:
        return empty ? head_ended(reply) : one_header(reply);
    case CHUNK_SIZE:
        return chunk_size(reply);
    case CHUNK_END:
        reply->where = CHUNK_SIZE;
        return empty ? OZ_MORE : OZ_NONSENSE;
    default: /* TRAILER */
        if (empty) reply->where = WHOLE;
        return empty ? OZ_DONE : OZ_MORE;
    }
}

oz_progress oz_reply_feed(oz_device *device, const char *bytes, size_t length, void (*body)(oz_device *, char)) {
    oz_reply *reply = &device->reply;
    for (size_t i = 0; i < length; i++) {
        char c = bytes[i];
        if (reply->where == WHOLE) return OZ_DONE; /* what comes behind a reply belongs to nobody */
        if (reply->where == BODY || reply->where == CHUNK) {
            body(device, c);
            if (reply->where == BODY && !reply->has_length) continue;
            if (--reply->left) continue;
            reply->where = reply->where == BODY ? WHOLE : CHUNK_END;
            if (reply->where == WHOLE) return OZ_DONE;
            continue;
        }
        if (c == '\n') {
            oz_progress progress = line_ended(reply);
            if (progress) return progress;
        } else if (c != '\r' && reply->line < sizeof reply->text - 1) {
            reply->text[reply->line++] = c;
        }
    }
    return OZ_MORE;
}

bool oz_reply_ended(const oz_device *device) {
    return device->reply.where == WHOLE || (device->reply.where == BODY && !device->reply.has_length);
}

void oz_keep_body(oz_device *device, char byte) {
    if (device->reply.body < OZ_BUFFER)
        device->buffer[device->reply.body++] = byte;
    else
        device->reply.cut = true;
}

void oz_request_begin(oz_device *device, oz_request *request, const char *method) {
    request->out.at = device->buffer;
    request->out.end = device->buffer + OZ_BUFFER;
    request->out.full = false;
    oz_put(&request->out, method);
    oz_put(&request->out, " ");
}

void oz_request_head(oz_device *device, oz_request *request, bool has_body) {
    oz_writer *out = &request->out;
    oz_put(out, " HTTP/1.1\r\nHost: ");
    oz_put(out, device->set.host);
    if (device->set.port != 80 && device->set.port != 443) oz_put_member(out, ":", device->set.port);
    if (device->me.token[0]) {
        oz_put(out, "\r\nAuthorization: Bearer ");
        oz_put(out, device->me.token);
    }
    request->length_at = NULL;
    if (has_body) {
        oz_put(out, "\r\nContent-Type: application/json\r\nContent-Length: ");
        request->length_at = out->at;
        oz_put(out, "    0");
    }
    oz_put(out, "\r\n\r\n");
    request->body = out->at;
}

bool oz_request_end(oz_device *device, oz_request *request) {
    if (request->out.full) return false;
    if (request->length_at) { /* leading blanks of a header's value mean nothing */
        uint32_t length = (uint32_t)(request->out.at - request->body);
        for (char *at = request->length_at + 4; length; at--, length /= 10) *at = (char)('0' + length % 10);
    }
    device->length = (uint16_t)(request->out.at - device->buffer);
    device->sent = 0;
    return true;
}
