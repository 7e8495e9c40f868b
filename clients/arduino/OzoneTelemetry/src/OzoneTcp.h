/* TCP over the board's sockets (ESP32 family, Linux), connected in pieces. */
#ifndef OZONE_TCP_H
#define OZONE_TCP_H

#include "OzoneLink.h"

#if defined(ESP32) || defined(__linux__)

class OzoneTcp : public OzoneLink {
public:
    ~OzoneTcp() override { close(); }
    /* A number connects without a wait. A name is asked for once, and again only after a failed connection: that one
     * question takes as long as the board's resolver does. */
    int open(const char *host, uint16_t port, uint32_t budget) override;
    int write(const uint8_t *bytes, size_t length) override;
    int read(uint8_t *into, size_t room) override;
    void close() override;

private:
    int _socket = -1;
    uint32_t _address = 0; /* of the host, network order; 0: not known */
};

#endif
#endif
