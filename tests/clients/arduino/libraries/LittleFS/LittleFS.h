#pragma once
#include <FS.h>

class HostLittleFS : public fs::FS {
public:
    bool begin(bool) { return !access(host_flash(), W_OK); }
};
inline HostLittleFS LittleFS;
