#include "oz_littlefs.h"

#include <string.h>

static int result_of(int problem) { return problem >= 0 ? OZ_OK : problem == LFS_ERR_NOSPC ? OZ_FULL : OZ_BROKEN; }

/* What is written is there once close() has said so. */
static int put(oz_littlefs *self, const char *name, int flags, const void *head, size_t head_length, const void *body, size_t length) {
    struct lfs_file_config with = {.buffer = self->cache};
    lfs_file_t file;
    int problem = lfs_file_opencfg(self->lfs, &file, name, LFS_O_WRONLY | LFS_O_CREAT | flags, &with);
    if (problem) return result_of(problem);
    problem = lfs_file_write(self->lfs, &file, head, (lfs_size_t)head_length);
    if (problem >= 0) problem = lfs_file_write(self->lfs, &file, body, (lfs_size_t)length);
    int closed = lfs_file_close(self->lfs, &file);
    return result_of(problem < 0 ? problem : closed);
}

static int append(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    return put(self, name, LFS_O_APPEND, head, head_length, body, length);
}

/* A file that is cut short and written anew changes at its close, as a whole. */
static int replace(void *self, const char *name, const void *head, size_t head_length, const void *body, size_t length) {
    return put(self, name, LFS_O_TRUNC, head, head_length, body, length);
}

static int read_file(void *self, const char *name, uint32_t offset, void *into, size_t room) {
    oz_littlefs *store = self;
    struct lfs_file_config with = {.buffer = store->cache};
    lfs_file_t file;
    int problem = lfs_file_opencfg(store->lfs, &file, name, LFS_O_RDONLY, &with);
    if (problem) return problem == LFS_ERR_NOENT ? 0 : -1;
    problem = lfs_file_seek(store->lfs, &file, (lfs_soff_t)offset, LFS_SEEK_SET);
    if (problem >= 0) problem = lfs_file_read(store->lfs, &file, into, (lfs_size_t)room);
    lfs_file_close(store->lfs, &file);
    return problem;
}

static int remove_file(void *self, const char *name) { return result_of(lfs_remove(((oz_littlefs *)self)->lfs, name)); }

static uint32_t number_of(const char *name) { /* "q0000002a" is segment 42 */
    uint32_t number = 0;
    if (*name != 'q' || strlen(name) != 9) return 0;
    while (*++name) {
        const char *digits = "0123456789abcdef", *digit = strchr(digits, *name);
        if (!digit) return 0;
        number = number << 4 | (uint32_t)(digit - digits);
    }
    return number;
}

static uint32_t segment(void *self, uint32_t from) {
    oz_littlefs *store = self;
    struct lfs_info about;
    lfs_dir_t folder;
    uint32_t best = 0;
    if (lfs_dir_open(store->lfs, &folder, "/")) return 0;
    while (lfs_dir_read(store->lfs, &folder, &about) > 0) {
        uint32_t number = number_of(about.name);
        if (number >= from && (!best || number < best)) best = number;
    }
    lfs_dir_close(store->lfs, &folder);
    return best;
}

void oz_littlefs_files(oz_file_system *files, oz_littlefs *self, lfs_t *lfs) {
    oz_file_system all = {self, append, read_file, replace, remove_file, segment};
    self->lfs = lfs;
    *files = all;
}
