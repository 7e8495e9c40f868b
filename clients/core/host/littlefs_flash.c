/* littlefs over its own emulator of a flash, which loses the power at a program or an erase, with what was under way undone
 * or done out of order. Compiled with littlefs's sources, which are not in this repository. */
#include <stdio.h>
#include <stdlib.h>

#include <bd/lfs_emubd.h>

#include "../stores/oz_littlefs.h"
#include "flash.h"

enum { BLOCK = 4096, BLOCKS = 64 };

static lfs_emubd_t emulator;
static lfs_t lfs;
static oz_littlefs store;
static bool made;

static void power_goes(void *data) {
    (void)data;
    flash_power_goes();
}

static const struct lfs_emubd_config board = {
    .read_size = 16,
    .prog_size = 16,
    .erase_size = BLOCK,
    .erase_count = BLOCKS,
    .erase_value = 0xff,
    .powerloss_behavior = LFS_EMUBD_POWERLOSS_OOO,
    .powerloss_cb = power_goes,
};
static uint8_t read_buffer[OZ_LITTLEFS_CACHE], prog_buffer[OZ_LITTLEFS_CACHE], lookahead[16];
static const struct lfs_config flash = {
    .context = &emulator,
    .read = lfs_emubd_read,
    .prog = lfs_emubd_prog,
    .erase = lfs_emubd_erase,
    .sync = lfs_emubd_sync,
    .read_size = 16,
    .prog_size = 16,
    .block_size = BLOCK,
    .block_count = BLOCKS,
    .block_cycles = 500,
    .cache_size = OZ_LITTLEFS_CACHE,
    .lookahead_size = sizeof lookahead,
    .read_buffer = read_buffer,
    .prog_buffer = prog_buffer,
    .lookahead_buffer = lookahead,
};

static const lfs_emubd_powercycles_t NEVER = 1000000000;

static void must(int problem, const char *what) {
    if (!problem) return;
    printf("%s: %d\n", what, problem);
    exit(4);
}

void flash_new(long cut) {
    if (made) lfs_emubd_destroy(&flash);
    made = true;
    must(lfs_emubd_create(&flash, &board), "create");
    must(lfs_format(&lfs, &flash), "format");
    lfs_emubd_setpowercycles(&flash, cut ? (lfs_emubd_powercycles_t)cut : NEVER);
}

/* Counts down; at its end, and without a cut, there is no other. */
void flash_mount(oz_file_system *files) {
    if (!lfs_emubd_powercycles(&flash)) lfs_emubd_setpowercycles(&flash, NEVER);
    must(lfs_mount(&lfs, &flash), "mount");
    oz_littlefs_files(files, &store, &lfs);
}

long flash_writes(void) { return (long)(NEVER - (lfs_emubd_powercycles_t)lfs_emubd_powercycles(&flash)); }
