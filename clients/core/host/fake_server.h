/* A server in a few lines for the trials of the core: it stores an event once by its id, and tells of it. */
#ifndef FAKE_SERVER_H
#define FAKE_SERVER_H

#include <stddef.h>

enum { STORED = 2000 };

typedef struct {
    char id[40];
    unsigned counter;
    char ts[24];
} fake_event;

extern fake_event stored[STORED];
extern int stored_count;
extern int conflicts; /* events under an id that was there, with another counter or time */

/* The connection begins anew. */
void fake_open(void);
/* Takes bytes of a request; true once it is whole, with its reply in `fake_reply`, of `fake_length` bytes. */
int fake_take(const void *bytes, size_t length);

/* One of the refusals that a server may answer instead. */
const char *fake_error(unsigned which);

extern char fake_reply[1024];
extern size_t fake_length;

#endif
