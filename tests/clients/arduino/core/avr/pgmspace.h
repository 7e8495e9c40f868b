/* Constants are where all else is. */
#ifndef HOST_PGMSPACE_H
#define HOST_PGMSPACE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PROGMEM
#define PGM_P const char *
#define PSTR(text) (text)
#define pgm_read_byte(address) (*(const uint8_t *)(address))
#define strlen_P strlen
#define strcpy_P strcpy
#define strcmp_P strcmp
#define memcpy_P memcpy

/* Of the C library of the AVR, what String takes. */
char *itoa(int value, char *into, int base);
char *utoa(unsigned value, char *into, int base);
char *ltoa(long value, char *into, int base);
char *ultoa(unsigned long value, char *into, int base);
char *dtostrf(double value, signed char width, unsigned char digits, char *into);

#endif
