/* A flash for the trial of power cuts: torn_flash.c, a memory; littlefs_flash.c, littlefs over its own emulator. */
#ifndef FLASH_H
#define FLASH_H

#include "../stores/oz_files.h"

void flash_new(long cut);                 /* empty; the power goes at the write `cut`, and only there; 0: never */
void flash_mount(oz_file_system *files);  /* the power is there */
long flash_writes(void);                  /* since it was new */

/* Of the trial. */
unsigned flash_chance(unsigned below);
void flash_power_goes(void); /* does not return */

#endif
