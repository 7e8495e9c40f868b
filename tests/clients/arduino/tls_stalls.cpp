/* OzoneTls before a server that is silent, drips, hangs up, garbles or refuses, by a clock that only the trial moves: each
 * message of a handshake costs what it costs a slow chip, and no tick is late by more than one of them.
 *
 *     tls_stalls CA CERTIFICATE KEY SEEDS     says `handshakes N ticks N longest N`; ends with 1 where something is wrong
 */
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <string>

#include "OzoneDevice.h"
#include "OzoneTls.h"

extern "C" {
#include "fake_server.h"
}
#define RAM_RECORDS 200
#include "ram_store.h"

enum { PRESSES = 60, BUDGET = 50, CALL_MS = 1, MESSAGE_MS = 150 };
enum { GOOD, SILENT, DRIPPING, CLOSING, HALF, GARBLED, ERRORS, SLOW_TO_OPEN, BEHAVIOURS };

static unsigned seed;
static uint32_t clock_ms = 1000;
static bool well;
static long handshakes;

unsigned long millis() { return clock_ms; }

/* Of Arduino's addresses nothing is wanted here. */
IPAddress::IPAddress(uint8_t, uint8_t, uint8_t, uint8_t) {}
size_t IPAddress::printTo(Print &) const { return 0; }

static unsigned chance(unsigned below) {
    seed = seed * 1103515245u + 12345u;
    return (seed >> 16) % below;
}

static void fill(uint8_t *into, size_t length) {
    while (length--) *into++ = static_cast<uint8_t>(chance(256));
}
/* In place of mbedTLS's, inside the library: the messages take their time. */
extern "C" int timed_step(mbedtls_ssl_context *ssl);
int timed_step(mbedtls_ssl_context *ssl) {
    int result = mbedtls_ssl_handshake_step(ssl);
    if (result != MBEDTLS_ERR_SSL_WANT_READ && result != MBEDTLS_ERR_SSL_WANT_WRITE) clock_ms += MESSAGE_MS;
    return result;
}

/* ------------------------------------------------------------------ a server in TLS, and the line to it */

static mbedtls_x509_crt certificate;
static mbedtls_pk_context key;
static mbedtls_ssl_config config;

class Line : public OzoneLink {
public:
    int open(const char *, uint16_t, uint32_t budget) override {
        if (_is_open) return opened(budget);
        _is_open = true;
        _behaviour = well ? GOOD : static_cast<int>(chance(BEHAVIOURS));
        _in.clear();
        _out.clear();
        _left = chance(6000); /* bytes until something happens to it */
        fake_open();
        mbedtls_ssl_init(&_ssl);
        if (mbedtls_ssl_setup(&_ssl, &config)) exit(3);
        mbedtls_ssl_set_bio(&_ssl, this, give, take, nullptr);
        return opened(budget);
    }

    int write(const uint8_t *bytes, size_t length) override {
        clock_ms += CALL_MS;
        if (_behaviour == CLOSING && !chance(8)) return -1;
        if (_behaviour == SILENT && !chance(3)) return 0;
        if (length > 300) length = 300;
        _in.append(reinterpret_cast<const char *>(bytes), length);
        serve();
        return static_cast<int>(length);
    }

    int read(uint8_t *into, size_t room) override {
        clock_ms += CALL_MS;
        size_t count = _out.size() < room ? _out.size() : room;
        if (_behaviour == DRIPPING && count) count = chance(4) ? 0 : 1 + chance(40);
        if (count > _out.size()) count = _out.size();
        if (count > room) count = room;
        if (_behaviour != GOOD && count > _left) count = _left;
        if (!count && _left == 0 && (_behaviour == HALF || _behaviour == CLOSING)) return -1;
        if (_behaviour == SILENT && _left == 0) return 0;
        memcpy(into, _out.data(), count);
        if (_behaviour == GARBLED && count && !chance(4)) into[chance(static_cast<unsigned>(count))] ^= 0x40;
        _out.erase(0, count);
        if (_behaviour == SILENT || _behaviour == HALF || _behaviour == CLOSING) _left -= count;
        return static_cast<int>(count);
    }

    void close() override {
        if (_is_open) mbedtls_ssl_free(&_ssl);
        _is_open = false;
    }

private:
    int opened(uint32_t budget) {
        if (_behaviour == SLOW_TO_OPEN && chance(30)) {
            clock_ms += budget;
            return 0;
        }
        clock_ms += CALL_MS;
        return _behaviour == CLOSING && !chance(3) ? -1 : 1;
    }

    /* What has come in is answered at once. */
    void serve() {
        unsigned char plain[512];
        if (_ssl.state != MBEDTLS_SSL_HANDSHAKE_OVER) {
            if (mbedtls_ssl_handshake(&_ssl)) return;
            handshakes++;
        }
        for (int count; (count = mbedtls_ssl_read(&_ssl, plain, sizeof plain)) > 0;)
            if (fake_take(plain, static_cast<size_t>(count))) {
                std::string said(fake_reply, fake_length);
                if (_behaviour == ERRORS) said = fake_error(chance(100));
                mbedtls_ssl_write(&_ssl, reinterpret_cast<const unsigned char *>(said.data()), said.size());
            }
    }

    static int give(void *self, const unsigned char *bytes, size_t length) {
        static_cast<Line *>(self)->_out.append(reinterpret_cast<const char *>(bytes), length);
        return static_cast<int>(length);
    }

    static int take(void *self, unsigned char *into, size_t room) {
        std::string &in = static_cast<Line *>(self)->_in;
        if (in.empty()) return MBEDTLS_ERR_SSL_WANT_READ;
        size_t count = in.size() < room ? in.size() : room;
        memcpy(into, in.data(), count);
        in.erase(0, count);
        return static_cast<int>(count);
    }

    mbedtls_ssl_context _ssl;
    bool _is_open = false;
    int _behaviour = GOOD;
    size_t _left = 0;
    std::string _in, _out; /* to the server, and from it */
};

class Ram : public OzoneStore {
public:
    bool begin(oz_store &store) override {
        oz_store mine = {nullptr, ram_append, ram_replace, ram_next};
        store = mine;
        return true;
    }
};

static int random_bytes(void *, unsigned char *into, size_t length) {
    fill(into, length);
    return 0;
}

static void trial(const char *ca, unsigned with, long *ticks, uint32_t *longest) {
    Line line;
    Ram ram;
    OzoneTls tls(line, ca);
    OzoneDevice device(tls, ram);
    seed = with;
    well = false;
    record_count = stored_count = conflicts = 0;
    memset(slots, 0, sizeof slots);
    device.server("localhost").identity("EC:E3:34:46:2B:C0", "1").clock([] { return static_cast<uint32_t>(0); }).entropy(fill);
    if (!device.begin()) exit(3);
    OzoneCounters all = {0, 0, 0};
    auto tick = [&] {
        uint32_t began = clock_ms;
        device.tick(BUDGET);
        ++*ticks;
        if (clock_ms - began > *longest) *longest = clock_ms - began;
    };
    for (unsigned press = 1; press <= PRESSES; press++) {
        if (!device.press(OZ_BASIC, press, all)) exit(4);
        for (unsigned rounds = chance(40); rounds; rounds--) {
            tick();
            clock_ms += chance(20) ? 7 : chance(20000);
        }
    }
    well = true;
    for (int rounds = 0; rounds < 100000 && !device.canSleep(); rounds++) {
        tick();
        clock_ms += chance(10) ? 20 : 300;
    }
    if (stored_count + static_cast<int>(device.refused()) < PRESSES || stored_count > PRESSES || conflicts || device.queued()) {
        printf("seed %u: %d stored, %u refused, %d conflicts, %u queued, %s\n", with, stored_count, device.refused(), conflicts,
               device.queued(), device.why());
        exit(1);
    }
}

static std::string contents(const char *path) {
    std::string text(65536, 0);
    FILE *file = fopen(path, "rb");
    if (!file) exit(2);
    text.resize(fread(&text[0], 1, text.size(), file));
    fclose(file);
    return text;
}

int main(int count, char **words) {
    long ticks = 0;
    uint32_t longest = 0;
    if (count < 5) return 2;
    std::string ca = contents(words[1]), chain = contents(words[2]), secret = contents(words[3]);
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
    mbedtls_ssl_config_init(&config);
    if (mbedtls_x509_crt_parse(&certificate, reinterpret_cast<const unsigned char *>(chain.c_str()), chain.size() + 1) ||
        mbedtls_pk_parse_key(&key, reinterpret_cast<const unsigned char *>(secret.c_str()), secret.size() + 1, nullptr, 0) ||
        mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT))
        return 2;
    mbedtls_ssl_conf_rng(&config, random_bytes, nullptr);
    mbedtls_ssl_conf_own_cert(&config, &certificate, &key);
    for (unsigned with = 1; with <= static_cast<unsigned>(atoi(words[4])); with++) trial(ca.c_str(), with, &ticks, &longest);
    mbedtls_ssl_config_free(&config);
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&certificate);
    printf("handshakes %ld ticks %ld longest %u\n", handshakes, ticks, longest);
    return longest > BUDGET + MESSAGE_MS + CALL_MS * 30;
}
