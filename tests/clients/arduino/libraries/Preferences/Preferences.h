/* Preferences of the ESP32's core: a file for each key, replaced at once. */
#pragma once
#include <FS.h>

class Preferences {
public:
    bool begin(const char *space, bool = false) {
        _folder = std::string(host_flash()) + "/nvs-" + space;
        return !mkdir(_folder.c_str(), 0700) || !access(_folder.c_str(), W_OK);
    }
    bool isKey(const char *key) { return !access(of(key).c_str(), F_OK); }
    bool remove(const char *key) { return !unlink(of(key).c_str()); }
    size_t freeEntries() { return 100; }
    size_t getBytesLength(const char *key) {
        fs::File file(of(key), "r");
        return file ? file.size() : 0;
    }
    size_t getBytes(const char *key, void *into, size_t room) {
        fs::File file(of(key), "r");
        if (!file || file.size() > room) return 0;
        return file.read(static_cast<uint8_t *>(into), room);
    }
    size_t putBytes(const char *key, const void *bytes, size_t length) {
        if (strlen(key) > 15) return 0;
        fs::File file(of(key) + ".part", "w");
        if (!file || file.write(static_cast<const uint8_t *>(bytes), length) != length) return 0;
        if (file.size() != length) return 0; /* the disk is full */
        file.close();
        return rename((of(key) + ".part").c_str(), of(key).c_str()) ? 0 : length;
    }
    uint16_t getUShort(const char *key, uint16_t otherwise) {
        uint16_t value;
        return getBytes(key, &value, sizeof value) == sizeof value ? value : otherwise;
    }
    size_t putUShort(const char *key, uint16_t value) { return putBytes(key, &value, sizeof value); }

private:
    std::string of(const char *key) const { return _folder + "/" + key; }
    std::string _folder;
};
