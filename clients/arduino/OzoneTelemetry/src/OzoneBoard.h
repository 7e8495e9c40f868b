/* What differs from board to board. */
#ifndef OZONE_BOARD_H
#define OZONE_BOARD_H

#include <stddef.h>
#include <stdint.h>

/* The function that fills memory with random numbers of this board's hardware; null where none is known. */
void (*ozoneEntropy())(uint8_t *into, size_t length);

#ifdef OZ_ENCRYPT
int ozoneSeal(void *self, const uint8_t key[32], const uint8_t nonce[12], const void *plain, size_t length, uint8_t *into);
#endif

#endif
