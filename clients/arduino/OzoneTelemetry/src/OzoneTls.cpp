#include "OzoneTls.h"

#ifdef OZONE_HAS_TLS

#include <string.h>
#include <time.h>

OzoneTls::~OzoneTls() {
    close();
    if (!_prepared) return;
    mbedtls_ssl_config_free(&_config);
    mbedtls_x509_crt_free(&_ca);
}

/* Once: what all connections share. */
bool OzoneTls::prepare() {
    if (_prepared) return true;
    mbedtls_x509_crt_init(&_ca);
    mbedtls_ssl_config_init(&_config);
    _problem = mbedtls_x509_crt_parse(&_ca, reinterpret_cast<const unsigned char *>(_ca_pem), strlen(_ca_pem) + 1);
    if (!_problem)
        _problem = mbedtls_ssl_config_defaults(&_config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                               MBEDTLS_SSL_PRESET_DEFAULT);
    if (_problem) {
        mbedtls_ssl_config_free(&_config);
        mbedtls_x509_crt_free(&_ca);
        return false;
    }
    mbedtls_ssl_conf_authmode(&_config, MBEDTLS_SSL_VERIFY_REQUIRED);
    mbedtls_ssl_conf_ca_chain(&_config, &_ca, nullptr);
    mbedtls_ssl_conf_verify(&_config, judge, this);
    mbedtls_ssl_conf_rng(&_config, chance, this);
    _prepared = true;
    return true;
}

int OzoneTls::fail(int problem) {
    close();
    _problem = problem;
    return -1;
}

int OzoneTls::open(const char *host, uint16_t port, uint32_t budget) {
    uint32_t began = millis();
    if (!_random || !prepare()) return -1;
    if (_stage == Closed || _stage == Connecting) {
        _stage = Connecting;
        int result = _under.open(host, port, budget);
        if (result < 0) _stage = Closed;
        if (result <= 0) return result;
        mbedtls_ssl_init(&_ssl);
        _stage = Shaking;
        int problem = mbedtls_ssl_setup(&_ssl, &_config);
        if (!problem) problem = mbedtls_ssl_set_hostname(&_ssl, host);
        if (problem) return fail(problem);
        mbedtls_ssl_set_bio(&_ssl, this, give, take, nullptr);
    }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
    while (!mbedtls_ssl_is_handshake_over(&_ssl)) {
#else
    while (_ssl.state != MBEDTLS_SSL_HANDSHAKE_OVER) {
#endif
        int result = mbedtls_ssl_handshake_step(&_ssl);
        if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) return 0;
        if (result) return fail(result);
        if (millis() - began >= budget) return 0;
    }
    _stage = Open;
    _problem = 0;
    return 1;
}

int OzoneTls::write(const uint8_t *bytes, size_t length) {
    int result = mbedtls_ssl_write(&_ssl, bytes, length);
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) return 0;
    return result < 0 ? -1 : result;
}

int OzoneTls::read(uint8_t *into, size_t room) {
    int result = mbedtls_ssl_read(&_ssl, into, room);
    if (result == MBEDTLS_ERR_SSL_WANT_READ || result == MBEDTLS_ERR_SSL_WANT_WRITE) return 0;
    return result > 0 ? result : -1;
}

void OzoneTls::close() {
    if (_stage == Open) mbedtls_ssl_close_notify(&_ssl); /* what does not fit at once is not waited for */
    if (_stage >= Shaking) mbedtls_ssl_free(&_ssl);
    if (_stage != Closed) _under.close();
    _stage = Closed;
}

int OzoneTls::chance(void *self, unsigned char *into, size_t length) {
    const OzoneTls *tls = static_cast<OzoneTls *>(self);
    tls->_random(tls->_self, into, length);
    return 0;
}

int OzoneTls::give(void *self, const unsigned char *bytes, size_t length) {
    int count = static_cast<OzoneTls *>(self)->_under.write(bytes, length);
    return count > 0 ? count : count ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_WRITE;
}

int OzoneTls::take(void *self, unsigned char *into, size_t room) {
    int count = static_cast<OzoneTls *>(self)->_under.read(into, room);
    return count > 0 ? count : count ? MBEDTLS_ERR_SSL_CONN_EOF : MBEDTLS_ERR_SSL_WANT_READ;
}

static bool before(const mbedtls_x509_time &when, const struct tm &now) {
    const int left[] = {when.year, when.mon, when.day, when.hour, when.min, when.sec};
    const int right[] = {now.tm_year + 1900, now.tm_mon + 1, now.tm_mday, now.tm_hour, now.tm_min, now.tm_sec};
    for (int i = 0; i < 6; i++)
        if (left[i] != right[i]) return left[i] < right[i];
    return false;
}

/* Dates by the device's own clock: mbedTLS on a chip looks at none, or at one that begins in 1970. */
int OzoneTls::judge(void *self, mbedtls_x509_crt *certificate, int, uint32_t *flags) {
    const OzoneTls *tls = static_cast<OzoneTls *>(self);
    *flags &= ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    time_t utc = static_cast<time_t>(tls->_utc(tls->_self));
    struct tm now;
    if (!utc || !gmtime_r(&utc, &now)) return 0;
    if (before(certificate->valid_to, now)) *flags |= MBEDTLS_X509_BADCERT_EXPIRED;
    return 0;
}

#endif
