#include "OzoneBoard.h"

#if defined(ESP32)
#include <esp_random.h>
#elif defined(ESP8266)
extern "C" int os_get_random(unsigned char *into, size_t length);
#elif defined(__linux__)
#include <stdlib.h>
#include <sys/random.h>
#endif

void (*ozoneEntropy())(uint8_t *, size_t) {
#if defined(ESP32)
    return [](uint8_t *into, size_t length) { esp_fill_random(into, length); };
#elif defined(ESP8266)
    return [](uint8_t *into, size_t length) { os_get_random(into, length); };
#elif defined(__linux__)
    return [](uint8_t *into, size_t length) {
        if (getrandom(into, length, 0) != static_cast<ssize_t>(length)) abort(); /* ids that are not random lose presses */
    };
#else
    return nullptr;
#endif
}

#ifdef OZ_ENCRYPT
#include <mbedtls/gcm.h>

int ozoneSeal(void *, const uint8_t key[32], const uint8_t nonce[12], const void *plain, size_t length, uint8_t *into) {
    mbedtls_gcm_context gcm;
    mbedtls_gcm_init(&gcm);
    int result = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256);
    if (!result)
        result = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, length, nonce, 12, nullptr, 0,
                                           static_cast<const unsigned char *>(plain), into, 16, into + length);
    mbedtls_gcm_free(&gcm);
    return result;
}
#endif
