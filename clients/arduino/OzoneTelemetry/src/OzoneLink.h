/* One connection to the server, none of whose functions waits longer than it is told to. */
#ifndef OZONE_LINK_H
#define OZONE_LINK_H

#include <Arduino.h>
#include <Client.h>

class OzoneLink {
public:
    virtual ~OzoneLink() {}
    /* Begins or goes on to connect, for `budget` ms at most: 1 connected, 0 not yet, -1 cannot. */
    virtual int open(const char *host, uint16_t port, uint32_t budget) = 0;
    /* Gives or takes what is possible at once: the number of bytes, 0 for none now, -1 when the connection is gone. */
    virtual int write(const uint8_t *bytes, size_t length) = 0;
    virtual int read(uint8_t *into, size_t room) = 0;
    virtual void close() = 0;
    /* What a link may need of its device, given at its begin(): UTC seconds (0: not known) and random numbers. */
    virtual void means(uint32_t (*)(void *), void (*)(void *, void *, size_t), void *) {}
};

/* Any Client of any board. Its connect() takes as long as that client's own time-outs say: it cannot be cut into pieces. */
class OzoneClientLink : public OzoneLink {
public:
    explicit OzoneClientLink(Client *client) : _client(client) {}

    int open(const char *host, uint16_t port, uint32_t) override { return _client->connect(host, port) > 0 ? 1 : -1; }

    int write(const uint8_t *bytes, size_t length) override {
        size_t written = _client->write(bytes, length);
        return written || _client->connected() ? static_cast<int>(written) : -1;
    }

    int read(uint8_t *into, size_t room) override {
        int waiting = _client->available();
        if (waiting > 0) return _client->read(into, static_cast<size_t>(waiting) < room ? static_cast<size_t>(waiting) : room);
        return _client->connected() ? 0 : -1;
    }

    void close() override { _client->stop(); }

private:
    Client *_client;
};

#endif
