/* TLS over a link, by mbedTLS (in the ESP32's core; on Linux libmbedtls), for servers whose CA the sketch names. */
#ifndef OZONE_TLS_H
#define OZONE_TLS_H

#include "OzoneLink.h"

#if __has_include(<mbedtls/ssl.h>)
#define OZONE_HAS_TLS 1

#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>

class OzoneTls : public OzoneLink {
public:
    /* `ca_pem` is the only authority that is trusted; it must stay. The certificate's name must be the server's, and its
     * dates are held against the time as soon as the device knows it. A handshake goes on in pieces: `open` looks at the
     * clock between two messages of it, so that it is late by one of them at most (that with the server's signature). */
    OzoneTls(OzoneLink &under, const char *ca_pem) : _under(under), _ca_pem(ca_pem) {}
    ~OzoneTls() override;

    int open(const char *host, uint16_t port, uint32_t budget) override;
    int write(const uint8_t *bytes, size_t length) override;
    int read(uint8_t *into, size_t room) override;
    void close() override;

    void means(uint32_t (*utc)(void *), void (*random)(void *, void *, size_t), void *self) override {
        _utc = utc;
        _random = random;
        _self = self;
    }
    /* mbedTLS's number of what went wrong last, 0: nothing. -0x2700: the certificate is not trusted. */
    int problem() const { return _problem; }

private:
    enum Stage : uint8_t { Closed, Connecting, Shaking, Open };

    bool prepare();
    int fail(int problem);
    static int chance(void *self, unsigned char *into, size_t length);
    static int give(void *self, const unsigned char *bytes, size_t length);
    static int take(void *self, unsigned char *into, size_t room);
    static int judge(void *self, mbedtls_x509_crt *certificate, int depth, uint32_t *flags);

    OzoneLink &_under;
    const char *_ca_pem;
    uint32_t (*_utc)(void *) = nullptr;
    void (*_random)(void *, void *, size_t) = nullptr;
    void *_self = nullptr; /* of both */
    mbedtls_x509_crt _ca;
    mbedtls_ssl_config _config;
    mbedtls_ssl_context _ssl;
    bool _prepared = false;
    Stage _stage = Closed;
    int _problem = 0;
};

#endif
#endif
