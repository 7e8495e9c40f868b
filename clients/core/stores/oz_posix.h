/* The file system of a PC or a Linux gateway, for oz_files. */
#ifndef OZ_POSIX_H
#define OZ_POSIX_H

#include "oz_files.h"

/* `folder` must be there, and stay as it is spelt. */
void oz_posix_files(oz_file_system *files, const char *folder);

/* TCP over the system's sockets, nothing of which waits. `tcp` must stay. */
typedef struct {
    int socket; /* -1: none */
} oz_posix_tcp;

void oz_posix_transport(oz_transport *transport, oz_posix_tcp *tcp);

/* Monotonic clock, the system's time and its random numbers; no restart. */
void oz_posix_platform(oz_platform *platform);

#endif
