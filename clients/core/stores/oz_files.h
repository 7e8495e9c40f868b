/* A store in files: segments of records that only grow, and slots that are replaced. Over five functions of a file
 * system, so that LittleFS, SPIFFS and a PC's own serve alike.
 */
#ifndef OZ_FILES_H
#define OZ_FILES_H

#include "../include/ozone.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef OZ_SEGMENT
#define OZ_SEGMENT 4096 /* bytes after which a new file is begun: of one erase block */
#endif

typedef struct {
    void *self;
    /* Writes head and body behind the end of `name`, made when it is not there; OZ_OK once they survive a power cut,
     * OZ_FULL, OZ_BROKEN. */
    int (*append)(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length);
    /* Bytes read from `offset`; 0 at the end or without the file; negative: it cannot be read. */
    int (*read)(void *self, const char *name, uint32_t offset, void *into, size_t room);
    /* The old or the new content, whole, whatever the power does; durable on return. */
    int (*replace)(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length);
    int (*remove)(void *self, const char *name);
    /* The smallest number of a segment (a file `q` and eight hex digits) that is not below `from`; 0 when there is none. */
    uint32_t (*segment)(void *self, uint32_t from);
} oz_file_system;

typedef struct {
    oz_file_system files;
    uint32_t first, last; /* segments; 0: none */
    uint32_t limit;       /* segments at most */
    uint32_t size;        /* bytes of the last one; 0: the next record begins a new one */
    oz_key at;            /* the record behind which `segment` and `offset` point */
    uint32_t segment, offset;
} oz_files;

/* `limit`: segments at most, past which the store is full; 0: 64 (256 KB). */
void oz_files_begin(oz_files *store, const oz_file_system *files, uint32_t limit, oz_store *into);

/* The name of a segment, "q0000002a". */
void oz_files_name(char name[10], char letter, uint32_t number);

#ifdef __cplusplus
}
#endif
#endif
