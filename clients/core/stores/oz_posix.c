#define _POSIX_C_SOURCE 200809L
#include "oz_posix.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void path_of(char path[512], void *folder, const char *name) { snprintf(path, 512, "%s/%s", (char *)folder, name); }

static bool put_all(int file, const char *bytes, size_t length) {
    while (length) {
        ssize_t count = write(file, bytes, length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        bytes += count;
        length -= (size_t)count;
    }
    return true;
}

static bool sync_folder(const char *folder) {
    int file = open(folder, O_RDONLY);
    bool good = file >= 0 && !fsync(file);
    if (file >= 0) close(file);
    return good;
}

static int put_file(void *self, const char *path, int flags, const void *head, size_t head_length, const void *body, size_t length) {
    bool made = access(path, F_OK);
    int file = open(path, O_WRONLY | O_CREAT | flags, 0600);
    if (file < 0) return errno == ENOSPC ? OZ_FULL : OZ_BROKEN;
    bool good = put_all(file, head, head_length) && put_all(file, body, length) && !fsync(file);
    int problem = errno;
    good = !close(file) && good && (!made || sync_folder(self));
    return good ? OZ_OK : problem == ENOSPC ? OZ_FULL : OZ_BROKEN;
}

static int append(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    char path[512];
    path_of(path, self, name);
    return put_file(self, path, O_APPEND, head, head_length, body, length);
}

static int read_file(void *self, const char *name, uint32_t offset, void *into, size_t room) {
    char path[512];
    path_of(path, self, name);
    int file = open(path, O_RDONLY);
    if (file < 0) return errno == ENOENT ? 0 : -1;
    ssize_t count = pread(file, into, room, (off_t)offset);
    close(file);
    return (int)count;
}

static int replace(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    char path[512], part[520];
    path_of(path, self, name);
    snprintf(part, sizeof part, "%s.part", path);
    int result = put_file(self, part, O_TRUNC, head, head_length, body, length);
    if (result != OZ_OK) return result;
    return rename(part, path) || !sync_folder(self) ? OZ_BROKEN : OZ_OK;
}

static int remove_file(void *self, const char *name) {
    char path[512];
    path_of(path, self, name);
    return unlink(path) ? OZ_BROKEN : OZ_OK;
}

static uint32_t segment(void *self, uint32_t from) {
    uint32_t best = 0;
    DIR *folder = opendir(self);
    struct dirent *entry;
    while (folder && (entry = readdir(folder))) {
        unsigned number;
        char rest;
        if (sscanf(entry->d_name, "q%8x%c", &number, &rest) != 1 || strlen(entry->d_name) != 9) continue;
        if (number >= from && (!best || number < best)) best = number;
    }
    if (folder) closedir(folder);
    return best;
}

void oz_posix_files(oz_file_system *files, const char *folder) {
    oz_file_system all = {(void *)(uintptr_t)folder, append, read_file, replace, remove_file, segment};
    *files = all;
}

/* ------------------------------------------------------------------ TCP */

static void close_tcp(void *self) {
    oz_posix_tcp *tcp = self;
    if (tcp->socket >= 0) close(tcp->socket);
    tcp->socket = -1;
}

static int open_tcp(void *self, const char *host, uint16_t port, uint32_t budget) {
    oz_posix_tcp *tcp = self;
    (void)budget;
    if (tcp->socket < 0) {
        struct addrinfo want = {0}, *found;
        char service[6];
        want.ai_socktype = SOCK_STREAM;
        snprintf(service, sizeof service, "%u", port);
        if (getaddrinfo(host, service, &want, &found)) return -1; /* an address is no wait; a name may be one */
        tcp->socket = socket(found->ai_family, SOCK_STREAM, 0);
        if (tcp->socket >= 0) {
            int one = 1;
            fcntl(tcp->socket, F_SETFL, O_NONBLOCK);
            setsockopt(tcp->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            if (connect(tcp->socket, found->ai_addr, found->ai_addrlen) && errno != EINPROGRESS) close_tcp(tcp);
        }
        freeaddrinfo(found);
        if (tcp->socket < 0) return -1;
    }
    struct sockaddr_storage peer;
    socklen_t length = sizeof peer;
    int problem = 0;
    socklen_t size = sizeof problem;
    if (getsockopt(tcp->socket, SOL_SOCKET, SO_ERROR, &problem, &size) || problem) {
        close_tcp(tcp);
        return -1;
    }
    return getpeername(tcp->socket, (struct sockaddr *)&peer, &length) ? 0 : 1;
}

static int moved(ssize_t count) {
    if (count > 0) return (int)count;
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

static int write_tcp(void *self, const void *bytes, size_t length) {
    return moved(send(((oz_posix_tcp *)self)->socket, bytes, length, MSG_NOSIGNAL));
}

static int read_tcp(void *self, void *into, size_t room) { return moved(recv(((oz_posix_tcp *)self)->socket, into, room, 0)); }

void oz_posix_transport(oz_transport *transport, oz_posix_tcp *tcp) {
    oz_transport all = {tcp, open_tcp, write_tcp, read_tcp, close_tcp};
    tcp->socket = -1;
    *transport = all;
}

/* ------------------------------------------------------------------ platform */

static uint32_t milliseconds(void *self) {
    struct timespec now;
    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * 1000u + (uint32_t)(now.tv_nsec / 1000000);
}

static uint32_t utc(void *self) {
    (void)self;
    return (uint32_t)time(NULL);
}

static void chance(void *self, void *into, size_t length) {
    (void)self;
    int file = open("/dev/urandom", O_RDONLY);
    if (file < 0 || read(file, into, length) != (ssize_t)length) abort(); /* ids that are not random lose presses */
    close(file);
}

void oz_posix_platform(oz_platform *platform) {
    memset(platform, 0, sizeof *platform);
    platform->millis = milliseconds;
    platform->utc = utc;
    platform->random = chance;
}
