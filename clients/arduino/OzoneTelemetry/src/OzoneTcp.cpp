#include "OzoneTcp.h"

#if defined(ESP32) || defined(__linux__)

#include <errno.h>
#include <fcntl.h>
#ifdef ESP32
#include <lwip/netdb.h>
#include <lwip/sockets.h>
#else
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>
#endif

static uint32_t address_of(const char *host) {
    struct addrinfo want = {}, *found = nullptr;
    want.ai_family = AF_INET;
    want.ai_socktype = SOCK_STREAM;
    if (getaddrinfo(host, nullptr, &want, &found) || !found) return 0;
    uint32_t address = reinterpret_cast<struct sockaddr_in *>(found->ai_addr)->sin_addr.s_addr;
    freeaddrinfo(found);
    return address;
}

int OzoneTcp::open(const char *host, uint16_t port, uint32_t budget) {
    if (_socket < 0) {
        if (!_address) _address = address_of(host);
        if (!_address) return -1;
        struct sockaddr_in to = {};
        to.sin_family = AF_INET;
        to.sin_port = htons(port);
        to.sin_addr.s_addr = _address;
        _socket = ::socket(AF_INET, SOCK_STREAM, 0);
        if (_socket < 0) return -1;
        int one = 1;
        ::fcntl(_socket, F_SETFL, O_NONBLOCK);
        ::setsockopt(_socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (::connect(_socket, reinterpret_cast<struct sockaddr *>(&to), sizeof to) && errno != EINPROGRESS) {
            close();
            _address = 0;
            return -1;
        }
    }
    fd_set writable;
    struct timeval wait = {static_cast<time_t>(budget / 1000), static_cast<suseconds_t>(budget % 1000 * 1000)};
    FD_ZERO(&writable);
    FD_SET(_socket, &writable);
    if (!::select(_socket + 1, nullptr, &writable, nullptr, &wait)) return 0;
    int problem = 0;
    socklen_t size = sizeof problem;
    if (::getsockopt(_socket, SOL_SOCKET, SO_ERROR, &problem, &size) || problem) {
        close();
        _address = 0;
        return -1;
    }
    return 1;
}

static int moved(ssize_t count) {
    if (count > 0) return static_cast<int>(count);
    return count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) ? 0 : -1;
}

int OzoneTcp::write(const uint8_t *bytes, size_t length) {
#ifdef MSG_NOSIGNAL
    return moved(::send(_socket, bytes, length, MSG_NOSIGNAL));
#else
    return moved(::send(_socket, bytes, length, 0));
#endif
}

int OzoneTcp::read(uint8_t *into, size_t room) { return moved(::recv(_socket, into, room, 0)); }

void OzoneTcp::close() {
    if (_socket >= 0) ::close(_socket);
    _socket = -1;
}

#endif
