#include "fake_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fake_event stored[STORED];
int stored_count, conflicts;
char fake_reply[1024];
size_t fake_length;

static char request[8192];
static size_t request_length;

void fake_open(void) {
    request_length = fake_length = 0;
    memset(request, 0, sizeof request);
}

static void member(const char *text, const char *name, char *into, size_t room) {
    const char *at = strstr(text, name);
    size_t used = 0;
    into[0] = 0;
    if (!at) return;
    for (at += strlen(name); *at && *at != '"' && *at != ',' && *at != '}' && used + 1 < room; at++) into[used++] = *at;
    into[used] = 0;
}

static void take(const char *event) {
    char id[40], counter[12], ts[24];
    member(event, "\"event_id\":\"", id, sizeof id);
    member(event, "\"counter\":", counter, sizeof counter);
    member(event, "\"ts\":\"", ts, sizeof ts);
    for (int i = 0; i < stored_count; i++)
        if (!strcmp(stored[i].id, id)) {
            conflicts += stored[i].counter != (unsigned)atoi(counter) || strcmp(stored[i].ts, ts);
            return;
        }
    if (stored_count == STORED) return;
    strcpy(stored[stored_count].id, id);
    strcpy(stored[stored_count].ts, ts);
    stored[stored_count++].counter = (unsigned)atoi(counter);
}

int fake_take(const void *bytes, size_t count) {
    char length[12];
    if (request_length + count >= sizeof request) return 0;
    memcpy(request + request_length, bytes, count);
    request_length += count;
    char *body = strstr(request, "\r\n\r\n");
    if (!body) return 0;
    member(request, "Content-Length: ", length, sizeof length);
    if ((size_t)(body + 4 - request) + (size_t)atoi(length + strspn(length, " ")) > request_length) return 0;
    const char *said = "{\"commands\":[],\"count\":0}";
    if (!strncmp(request, "POST /api/handshake", 19))
        said = "{\"device_id\":\"m1\",\"token\":\"abcdefgh\",\"assigned\":true}";
    if (!strncmp(request, "POST /api/device/", 17)) said = "{\"status\":\"updated\"}";
    if (!strncmp(request, "POST /api/device/events", 23)) {
        for (char *at = body; (at = strstr(at, "{\"event\"")); at++) {
            char one[400], *end = strstr(at + 1, "{\"event\"");
            size_t size = end ? (size_t)(end - at) : strlen(at);
            if (size >= sizeof one) size = sizeof one - 1;
            memcpy(one, at, size);
            one[size] = 0;
            take(one);
        }
        said = "{\"ack\":true}";
    }
    fake_open();
    fake_length = (size_t)snprintf(fake_reply, sizeof fake_reply,
                                   "HTTP/1.1 200 OK\r\nDate: Fri, 27 Nov 2026 20:00:00 GMT\r\nContent-Length: %u\r\n\r\n%s",
                                   (unsigned)strlen(said), said);
    return 1;
}

const char *fake_error(unsigned which) {
    static const char *const errors[] = {
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 27\r\n\r\n{\"code\":\"bad_credential\"}   ",
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 23\r\n\r\n{\"code\":\"not_assigned\"}",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 31\r\n\r\n{\"code\":\"reenrolment_required\"} ",
        "HTTP/1.1 429 Too Many\r\nRetry-After: 3\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 503 Unavailable\r\nRetry-After: 2\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nTrailer: 1\r\n\r\n",
        "HTTP/1.0 500 Oh\r\n\r\n<html>",
        "HTTP/1.1 413 Large\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 502 Bad\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    };
    return errors[which % (sizeof errors / sizeof errors[0])];
}
