/* littlefs itself for oz_files, where no file system of the board stands before it. It takes no heap: littlefs's buffers for an
 * open file are this struct's.
 */
#ifndef OZ_LITTLEFS_H
#define OZ_LITTLEFS_H

#include <lfs.h>

#include "oz_files.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef OZ_LITTLEFS_CACHE
#define OZ_LITTLEFS_CACHE 256 /* bytes: cache_size of littlefs's configuration at least */
#endif

typedef struct {
    lfs_t *lfs;
    uint32_t cache[OZ_LITTLEFS_CACHE / 4];
} oz_littlefs;

/* `lfs` must be mounted and stay, `self` too. Files stand in its root. */
void oz_littlefs_files(oz_file_system *files, oz_littlefs *self, lfs_t *lfs);

#ifdef __cplusplus
}
#endif
#endif
