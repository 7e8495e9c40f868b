#include "OzoneDevice.h"

#include <string.h>
#include <time.h>

#include "OzoneBoard.h"

static const uint32_t SET_CLOCK = 1577836800; /* 2020: a time() before it was never set */

void OzoneDevice::start() {
    memset(static_cast<void *>(&_device), 0, sizeof _device);
    memset(static_cast<void *>(&_settings), 0, sizeof _settings);
    _settings.port = 443;
    _settings.handler = handle;
    _settings.handler_self = this;
}

OzoneDevice &OzoneDevice::server(const char *host, uint16_t port) {
    _settings.host = host;
    _settings.port = port;
    return *this;
}

OzoneDevice &OzoneDevice::identity(const char *mac, const char *firmware) {
    _settings.mac = mac;
    _settings.firmware = firmware;
    return *this;
}

OzoneDevice &OzoneDevice::claim(const char *token) {
    _settings.kind = OZ_METER;
    _settings.claim_token = token && *token ? token : nullptr;
    return *this;
}

OzoneDevice &OzoneDevice::clock(uint32_t (*utc)()) {
    _utc = utc;
    return *this;
}

OzoneDevice &OzoneDevice::network(bool (*up)()) {
    _up = up;
    return *this;
}

OzoneDevice &OzoneDevice::restart(void (*now)()) {
    _restart = now;
    return *this;
}

OzoneDevice &OzoneDevice::resetReason(const char *words) {
    _settings.reset_reason = words;
    return *this;
}

OzoneDevice &OzoneDevice::entropy(void (*fill)(uint8_t *, size_t)) {
    _entropy = fill;
    return *this;
}

OzoneDevice &OzoneDevice::poll(uint32_t everyMs) {
    _settings.poll_ms = everyMs;
    return *this;
}

OzoneDevice &OzoneDevice::holdPolls(uint16_t seconds) {
    _settings.held_poll_s = seconds;
    return *this;
}

OzoneDevice &OzoneDevice::capacity(uint16_t records) {
    _settings.capacity = records;
    return *this;
}

OzoneDevice &OzoneDevice::dropOldest(bool yes) {
    _settings.drop_oldest = yes;
    return *this;
}

OzoneDevice &OzoneDevice::onCommand(const char *type, bool (*carryOut)(const OzoneCommand &, OzoneReply &)) {
    if (_handler_count < COMMANDS) _handlers[_handler_count++] = {type, carryOut};
    return *this;
}

bool OzoneDevice::handle(void *self, const oz_command *command, oz_result *result) {
    const OzoneDevice *device = static_cast<OzoneDevice *>(self);
    for (uint8_t i = 0; i < device->_handler_count; i++)
        if (!strcmp(device->_handlers[i].type, command->type)) return device->_handlers[i].carryOut(*command, *result);
    return false;
}

bool OzoneDevice::begin() {
    oz_store store;
    oz_platform platform = {};
    oz_transport net = {};
    if (!_entropy) _entropy = ozoneEntropy();
    if (!_entropy) {
        _trouble = "this board's random numbers are not known: entropy()";
        return false;
    }
    if (!_settings.host || !(_settings.kind == OZ_METER || _settings.mac)) {
        _trouble = "server() and identity() or claim() come before begin()";
        return false;
    }
    if (!_store.begin(store)) {
        _trouble = "the flash does not answer";
        return false;
    }
    platform.self = net.self = this;
    platform.millis = [](void *) { return static_cast<uint32_t>(millis()); };
    platform.utc = [](void *self) {
        const OzoneDevice *device = static_cast<OzoneDevice *>(self);
        uint32_t now = device->_utc ? device->_utc() : static_cast<uint32_t>(time(nullptr));
        return now < SET_CLOCK ? 0 : now;
    };
    platform.random = [](void *self, void *into, size_t length) {
        static_cast<OzoneDevice *>(self)->_entropy(static_cast<uint8_t *>(into), length);
    };
    if (_restart) platform.restart = [](void *self) { static_cast<OzoneDevice *>(self)->_restart(); };
#ifdef OZ_ENCRYPT
    platform.seal = ozoneSeal;
#endif
    net.open = [](void *self, const char *host, uint16_t port, uint32_t budget) {
        OzoneDevice *device = static_cast<OzoneDevice *>(self);
        return device->_up && !device->_up() ? -1 : device->_link.open(host, port, budget);
    };
    net.write = [](void *self, const void *bytes, size_t length) {
        return static_cast<OzoneDevice *>(self)->_link.write(static_cast<const uint8_t *>(bytes), length);
    };
    net.read = [](void *self, void *into, size_t room) {
        return static_cast<OzoneDevice *>(self)->_link.read(static_cast<uint8_t *>(into), room);
    };
    net.close = [](void *self) { static_cast<OzoneDevice *>(self)->_link.close(); };
    _link.means([](void *self) { return oz_now(&static_cast<OzoneDevice *>(self)->_device); }, platform.random, this);
    _trouble = oz_begin(&_device, &_settings, &platform, &store, &net) == OZ_OK ? nullptr : "the flash cannot be read";
    return !_trouble;
}

void OzoneDevice::tick(uint32_t budgetMs) { oz_tick(&_device, budgetMs); }

bool OzoneDevice::press(oz_treatment treatment, uint32_t counter, const OzoneCounters &all) {
    _result = oz_press(&_device, treatment, counter, &all);
    return _result == OZ_OK;
}

bool OzoneDevice::reading(const char *json) {
    _result = oz_reading(&_device, json);
    return _result == OZ_OK;
}

const char *OzoneDevice::stateName() const {
    static const char *const names[] = {"offline", "enrolling", "assign me", "online", "blocked"};
    return names[state()];
}
