/* EEPROM of the ESP32's core: the file `eeprom`. */
#pragma once
#include <FS.h>

class HostEEPROM {
public:
    bool begin(size_t size) {
        fs::File file(std::string(host_flash()) + "/eeprom", "r");
        memset(_bytes, 0xff, sizeof _bytes);
        if (file) file.read(_bytes, size < sizeof _bytes ? size : sizeof _bytes);
        return size <= sizeof _bytes;
    }
    uint8_t read(int at) { return _bytes[at]; }

private:
    uint8_t _bytes[4096];
};
inline HostEEPROM EEPROM;
