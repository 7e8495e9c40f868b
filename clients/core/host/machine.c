/* A treatment machine on a PC, over the real core: told what to do on stdin, says what it promised on stdout.
 *
 *     machine FOLDER HOST PORT MAC [nodate] [held SECONDS] [meter TOKEN]
 *     > press B 7        < promised 7 | refused
 *     > reading {"v":1}  < promised | refused
 *     > state            < state 3 queued 0 refused 0 dropped 0 id EC:… why online
 *
 * Commands of the server are written as `command TYPE ID`; RESET_COUNTERS and what is unknown to the core succeed.
 */
#define _POSIX_C_SOURCE 200809L
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef OZ_ENCRYPT
#include <mbedtls/gcm.h>
#endif

#include "../stores/oz_posix.h"

static oz_device device;
static oz_counters counters;

static uint32_t no_time(void *self) {
    (void)self;
    return 0;
}

static void restart(void *self) {
    (void)self;
    printf("restart\n");
    fflush(stdout);
    _exit(0);
}

static bool handle(void *self, const oz_command *command, oz_result *result) {
    (void)self;
    printf("command %s %s %s\n", command->type, command->id, command->payload);
    fflush(stdout);
    if (!strcmp(command->type, "UPDATE_FIRMWARE")) return false;
    if (!strcmp(command->type, "RESET_COUNTERS")) {
        memset(&counters, 0, sizeof counters);
        oz_count(&device, counters);
    }
    result->success = true;
    strcpy(result->message, "done");
    return true;
}

#ifdef OZ_ENCRYPT
static int seal(void *self, const uint8_t key[32], const uint8_t nonce[12], const void *plain, size_t length, uint8_t *into) {
    mbedtls_gcm_context gcm;
    (void)self;
    mbedtls_gcm_init(&gcm);
    int result = mbedtls_gcm_setkey(&gcm, MBEDTLS_CIPHER_ID_AES, key, 256);
    if (!result)
        result = mbedtls_gcm_crypt_and_tag(&gcm, MBEDTLS_GCM_ENCRYPT, length, nonce, 12, NULL, 0, plain, into, 16, into + length);
    mbedtls_gcm_free(&gcm);
    return result;
}
#endif

static void obey(char *line) {
    char letter;
    unsigned counter;
    if (sscanf(line, "press %c %u", &letter, &counter) == 2) {
        oz_treatment treatment = letter == 'B' ? OZ_BASIC : letter == 'S' ? OZ_STANDARD : OZ_PREMIUM;
        *(letter == 'B' ? &counters.basic : letter == 'S' ? &counters.standard : &counters.premium) = counter;
        int result = oz_press(&device, treatment, counter, &counters);
        if (result == OZ_OK)
            printf("promised %u\n", counter);
        else
            printf("refused %d\n", result);
    } else if (!strncmp(line, "reading ", 8)) {
        int result = oz_reading(&device, line + 8);
        if (result == OZ_OK)
            printf("promised\n");
        else
            printf("refused %d\n", result);
    } else if (!strcmp(line, "state")) {
        printf("state %d queued %u refused %u dropped %u sleep %d id %s why %s\n", oz_state_of(&device), oz_queued(&device),
               oz_refused(&device), oz_dropped(&device), oz_can_sleep(&device), oz_device_id(&device), oz_why(&device));
    }
    fflush(stdout);
}

int main(int count, char **words) {
    static char line[2048];
    size_t used = 0;
    oz_posix_tcp tcp;
    oz_transport transport;
    oz_platform platform;
    oz_file_system files;
    oz_files store_of;
    oz_store store;
    oz_settings settings = {0};
    if (count < 5) return 2;
    oz_posix_transport(&transport, &tcp);
    oz_posix_platform(&platform);
    oz_posix_files(&files, words[1]);
    platform.restart = restart;
#ifdef OZ_ENCRYPT
    platform.seal = seal;
#endif
    settings.host = words[2];
    settings.port = (uint16_t)atoi(words[3]);
    settings.mac = words[4];
    settings.firmware = "core-host";
    settings.reset_reason = "poweron";
    settings.handler = handle;
    settings.poll_ms = 500;
    for (int i = 5; i < count; i++) {
        if (!strcmp(words[i], "nodate")) platform.utc = no_time;
        if (!strcmp(words[i], "held") && i + 1 < count) settings.held_poll_s = (uint16_t)atoi(words[++i]);
        if (!strcmp(words[i], "capacity") && i + 1 < count) settings.capacity = (uint16_t)atoi(words[++i]);
        if (!strcmp(words[i], "oldest")) settings.drop_oldest = true;
        if (!strcmp(words[i], "meter") && i + 1 < count) {
            settings.kind = OZ_METER;
            settings.claim_token = words[++i];
        }
    }
    oz_files_begin(&store_of, &files, 0, &store);
    if (oz_begin(&device, &settings, &platform, &store, &transport) != OZ_OK) return 3;
    fcntl(0, F_SETFL, O_NONBLOCK);
    for (;;) {
        struct pollfd in = {0, POLLIN, 0};
        poll(&in, 1, 2);
        ssize_t got = read(0, line + used, sizeof line - 1 - used);
        if (!got && (in.revents & (POLLHUP | POLLIN))) return 0;
        if (got > 0) used += (size_t)got;
        for (char *end; (end = memchr(line, '\n', used));) {
            *end = 0;
            obey(line);
            used -= (size_t)(end + 1 - line);
            memmove(line, end + 1, used);
        }
        oz_tick(&device, 20);
    }
}
