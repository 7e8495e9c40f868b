/* Writing and reading JSON in one pass, without a tree. */
#include "inside.h"

#include <string.h>

void oz_put_bytes(oz_writer *writer, const char *bytes, size_t length) {
    if ((size_t)(writer->end - writer->at) < length) {
        writer->full = true;
        return;
    }
    memmove(writer->at, bytes, length);
    writer->at += length;
}

void oz_put(oz_writer *writer, const char *text) { oz_put_bytes(writer, text, strlen(text)); }

void oz_put_number(oz_writer *writer, uint32_t number) {
    char digits[10];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    oz_put_bytes(writer, digits + at, sizeof digits - at);
}

void oz_put_member(oz_writer *writer, const char *before, uint32_t number) {
    oz_put(writer, before);
    oz_put_number(writer, number);
}

static char hex(unsigned value) { return "0123456789abcdef"[value & 15]; }

void oz_put_hex(oz_writer *writer, const uint8_t *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) {
        char pair[2] = {hex(bytes[i] >> 4), hex(bytes[i])};
        oz_put_bytes(writer, pair, 2);
    }
}

void oz_put_text(oz_writer *writer, const char *text) {
    oz_put(writer, "\"");
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20) {
            char escape[6] = {'\\', 'u', '0', '0', hex(c >> 4), hex(c)};
            oz_put_bytes(writer, escape, 6);
        } else {
            if (c == '"' || c == '\\') oz_put(writer, "\\");
            oz_put_bytes(writer, text, 1);
        }
    }
    oz_put(writer, "\"");
}

void oz_put_query(oz_writer *writer, const char *text) {
    for (; *text; text++) {
        uint8_t byte = (uint8_t)*text;
        bool plain = (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'z') || byte == '-' ||
                     byte == '.' || byte == '_';
        oz_put_bytes(writer, plain ? text : "%", 1);
        if (!plain) oz_put_hex(writer, &byte, 1);
    }
}

static void put_pair(oz_writer *writer, char before, uint32_t number) {
    char text[3] = {before, (char)('0' + number / 10), (char)('0' + number % 10)};
    oz_put_bytes(writer, text, 3);
}

uint32_t oz_days(uint32_t month) {
    uint32_t since_march = month + 10, years = 1969 + since_march / 12;
    return years * 365 + years / 4 - (years >= 2100) + (153 * (since_march % 12) + 2) / 5 - 719483;
}

void oz_put_instant(oz_writer *writer, uint32_t utc) {
    uint32_t days = utc / 86400, rest = utc % 86400, month = days / 31; /* or one that follows */
    while (oz_days(month + 1) <= days) month++;
    oz_put_member(writer, "\"", 1970 + month / 12);
    put_pair(writer, '-', month % 12 + 1);
    put_pair(writer, '-', days - oz_days(month) + 1);
    put_pair(writer, 'T', rest / 3600);
    put_pair(writer, ':', rest / 60 % 60);
    put_pair(writer, ':', rest % 60);
    oz_put(writer, "Z\"");
}

static const char *blank(const char *at, const char *end) {
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r')) at++;
    return at;
}

/* Behind `what`, which blanks may precede; NULL when something else is there. */
static const char *past(const char *at, const char *end, char what) {
    if (!at) return NULL;
    at = blank(at, end);
    return at < end && *at == what ? at + 1 : NULL;
}

/* Behind the string whose opening quote is before `at`. */
static const char *string(const char *at, const char *end) {
    for (; at < end; at++) {
        if (*at == '\\') {
            at++;
        } else if (*at == '"') {
            return at + 1;
        } else if ((unsigned char)*at < 0x20) {
            return NULL;
        }
    }
    return NULL;
}

static const char *scalar(const char *at, const char *end) {
    static const char *const words[] = {"true", "false", "null"};
    const char *began = at;
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if ((size_t)(end - at) >= length && !memcmp(at, words[i], length)) return at + length;
    }
    while (at < end && *at && strchr("+-.0123456789Ee", *at)) at++;
    return at > began ? at : NULL;
}

const char *oz_json_skip(const char *at, const char *end) {
    uint32_t objects = 0; /* a bit for each open one: brace or bracket */
    int depth = 0;
    for (;;) {
        at = blank(at, end);
        if (at == end) return NULL;
        if (*at == '{' || *at == '[') { /* a value that begins */
            bool object = *at == '{';
            if (depth == 16) return NULL;
            objects = objects << 1 | object;
            depth++;
            at = blank(at + 1, end);
            if (at == end) return NULL;
            if (*at == (object ? '}' : ']')) {
                goto closed;
            }
            goto member;
        }
        at = *at == '"' ? string(at + 1, end) : scalar(at, end);
        if (!at) return NULL;
        for (;;) { /* behind a value */
            if (!depth) return at;
            at = blank(at, end);
            if (at == end) return NULL;
            if (*at == ',') {
                at++;
                break;
            }
            if (*at != (objects & 1 ? '}' : ']')) return NULL;
        closed:
            at++;
            objects >>= 1;
            depth--;
        }
    member:
        if (objects & 1) {
            at = past(at, end, '"');
            if (!at || !(at = past(string(at, end), end, ':'))) return NULL;
        }
    }
}

bool oz_json_get(oz_slice json, const char *name, oz_slice *value) {
    const char *end = json.at + json.length, *at = past(json.at, end, '{');
    size_t length = strlen(name);
    while (at) {
        const char *key = past(at, end, '"');
        if (!key) return false;
        const char *closed = string(key, end);
        if (!(at = past(closed, end, ':'))) return false;
        at = blank(at, end);
        const char *behind = oz_json_skip(at, end);
        if (!behind) return false;
        if ((size_t)(closed - 1 - key) == length && !memcmp(key, name, length)) {
            value->at = at;
            value->length = (size_t)(behind - at);
            return true;
        }
        at = past(behind, end, ',');
    }
    return false;
}

bool oz_json_each(oz_slice array, const char **at, oz_slice *value) {
    const char *end = array.at + array.length;
    const char *here = blank(*at, end);
    if (here == end || (*here != '[' && *here != ',')) return false;
    here = blank(here + 1, end);
    const char *behind = here < end && *here != ']' ? oz_json_skip(here, end) : NULL;
    if (!behind) return false;
    value->at = here;
    value->length = (size_t)(behind - here);
    *at = behind;
    return true;
}

int oz_nibble(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool oz_json_text(oz_slice value, char *into, size_t room) {
    const char *at = value.at + 1, *end = value.at + value.length - 1;
    char *last = into + room - 1;
    if (value.length < 2 || *value.at != '"') return false;
    while (at < end) {
        int c = *at++;
        if (c == '\\') {
            c = *at++;
            if (c == 'u') {
                c = 0;
                for (int i = 0; i < 4; i++) {
                    int digit = at < end ? oz_nibble(*at++) : -1;
                    if (digit < 0) return false;
                    c = c << 4 | digit;
                }
            } else if (!c || !strchr("\"\\/", c)) {
                return false;
            }
            if (!c || c > 0x7f) return false;
        }
        if (into == last) return false;
        *into++ = (char)c;
    }
    *into = 0;
    return true;
}

bool oz_json_is(oz_slice value, const char *text) {
    return value.length == strlen(text) && !memcmp(value.at, text, value.length);
}

bool oz_plain(const char *text, const char *but) {
    const char *at = text;
    while (*at > 0x20 && *at < 0x7f && !strchr(but, *at)) at++;
    return at > text && !*at;
}

bool oz_json_true(oz_slice value) { return oz_json_is(value, "true"); }

bool oz_json_true_of(oz_slice json, const char *name) {
    oz_slice value;
    return oz_json_get(json, name, &value) && oz_json_true(value);
}

bool oz_json_text_of(oz_slice json, const char *name, char *into, size_t room) {
    oz_slice value;
    return oz_json_get(json, name, &value) && oz_json_text(value, into, room);
}
