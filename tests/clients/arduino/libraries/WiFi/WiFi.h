/* A network that is always up, and the Client of the ESP32's core as sketches know it. */
#pragma once
#include <Arduino.h>
#include <Client.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WL_CONNECTED = 3 };

class HostWiFi {
public:
    void begin(const char *, const char *) {}
    int status() { return WL_CONNECTED; }
    int RSSI() { return -61; }
    String macAddress() { return String(getenv("HOST_MAC")); }
};
inline HostWiFi WiFi;

class WiFiClient : public Client {
public:
    ~WiFiClient() { stop(); }
    int connect(IPAddress, uint16_t) override { return 0; }
    int connect(const char *host, uint16_t port) override {
        struct addrinfo want = {}, *found;
        want.ai_family = AF_INET;
        want.ai_socktype = SOCK_STREAM;
        stop();
        if (getaddrinfo(host, String(port).c_str(), &want, &found)) return 0;
        _socket = socket(AF_INET, SOCK_STREAM, 0);
        if (::connect(_socket, found->ai_addr, found->ai_addrlen)) stop();
        freeaddrinfo(found);
        return _socket >= 0;
    }
    size_t write(uint8_t byte) override { return write(&byte, 1); }
    size_t write(const uint8_t *bytes, size_t length) override {
        ssize_t count = send(_socket, bytes, length, MSG_NOSIGNAL);
        return count < 0 ? 0 : static_cast<size_t>(count);
    }
    int available() override {
        int count = 0;
        return _socket >= 0 && !ioctl(_socket, FIONREAD, &count) ? count : 0;
    }
    int read() override {
        uint8_t byte;
        return read(&byte, 1) == 1 ? byte : -1;
    }
    int read(uint8_t *into, size_t room) override { return static_cast<int>(recv(_socket, into, room, MSG_DONTWAIT)); }
    int peek() override { return -1; }
    void flush() override {}
    void stop() override {
        if (_socket >= 0) close(_socket);
        _socket = -1;
    }
    uint8_t connected() override {
        uint8_t byte;
        return _socket >= 0 && (available() || recv(_socket, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0);
    }
    operator bool() override { return _socket >= 0; }

private:
    int _socket = -1;
};
