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

/* Days since 1970 to a date: Howard Hinnant's civil_from_days. */
void oz_put_instant(oz_writer *writer, uint32_t utc) {
    uint32_t days = utc / 86400 + 719468, rest = utc % 86400;
    uint32_t era = days / 146097, of_era = days % 146097;
    uint32_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    uint32_t of_year = of_era - (365 * year + year / 4 - year / 100);
    uint32_t shifted = (5 * of_year + 2) / 153; /* March is 0 */
    uint32_t month = shifted < 10 ? shifted + 3 : shifted - 9;
    oz_put(writer, "\"");
    oz_put_number(writer, year + era * 400 + (month <= 2));
    put_pair(writer, '-', month);
    put_pair(writer, '-', of_year - (153 * shifted + 2) / 5 + 1);
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
    const char *began = at;
    while (at < end && *at > ' ' && *at < 0x7f && !strchr(",:\"[]{}", *at)) at++;
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

static bool unit(const char *at, const char *end, uint32_t *code) {
    *code = 0;
    if (end - at < 4) return false;
    for (int i = 0; i < 4; i++) {
        int digit = oz_nibble(at[i]);
        if (digit < 0) return false;
        *code = *code << 4 | (uint32_t)digit;
    }
    return true;
}

static size_t utf8(uint32_t code, char out[4]) {
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    size_t more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    for (size_t i = more; i; i--, code >>= 6) out[i] = (char)(0x80 | (code & 0x3f));
    out[0] = (char)((0xf0 << (3 - more) & 0xff) | code); /* 110…, 1110…, 11110… */
    return more + 1;
}

bool oz_json_text(oz_slice value, char *into, size_t room) {
    if (value.length < 2 || *value.at != '"' || !room) return false;
    const char *at = value.at + 1, *end = value.at + value.length - 1;
    size_t used = 0;
    while (at < end) {
        char bytes[4] = {*at};
        size_t length = 1;
        if (*at++ == '\\') {
            if (at == end) return false;
            char c = *at++;
            if (c == 'u') {
                uint32_t code, low;
                if (!unit(at, end, &code)) return false;
                at += 4;
                if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' &&
                    unit(at + 2, end, &low) && low >= 0xdc00 && low < 0xe000) {
                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                    at += 6;
                }
                if (!code || (code >= 0xd800 && code < 0xe000)) return false;
                length = utf8(code, bytes);
            } else {
                static const char from[] = "nrtbf", to[] = "\n\r\t\b\f";
                const char *known = c ? strchr(from, c) : NULL;
                bytes[0] = known ? to[known - from] : c;
            }
        }
        if (used + length >= room) return false;
        memcpy(into + used, bytes, length);
        used += length;
    }
    into[used] = 0;
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
