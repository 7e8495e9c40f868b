/* fs::FS of the ESP32's core, over a folder. */
#ifndef HOST_FS_H
#define HOST_FS_H

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "Arduino.h"

namespace fs {

class File {
public:
    File() = default;
    File(const std::string &path, const char *mode) : _path(path) {
        struct stat about;
        if (!stat(path.c_str(), &about) && S_ISDIR(about.st_mode))
            _folder.reset(opendir(path.c_str()), closedir);
        else if (FILE *file = fopen(path.c_str(), mode))
            _file.reset(file, fclose);
    }
    operator bool() const { return _file || _folder; }
    size_t write(const uint8_t *bytes, size_t length) { return fwrite(bytes, 1, length, _file.get()); }
    size_t read(uint8_t *into, size_t room) { return fread(into, 1, room, _file.get()); }
    bool seek(uint32_t to) { return !fseek(_file.get(), to, SEEK_SET); }
    size_t size() const {
        struct stat about;
        fflush(_file.get());
        return fstat(fileno(_file.get()), &about) ? 0 : static_cast<size_t>(about.st_size);
    }
    void close() {
        if (_file) fflush(_file.get()), fsync(fileno(_file.get()));
        _file.reset();
        _folder.reset();
    }
    const char *name() const { return _path.c_str() + _path.rfind('/') + 1; }
    File openNextFile() {
        while (struct dirent *entry = readdir(_folder.get()))
            if (entry->d_name[0] != '.') return File(_path + "/" + entry->d_name, "r");
        return File();
    }

private:
    std::string _path;
    std::shared_ptr<FILE> _file;
    std::shared_ptr<DIR> _folder;
};

class FS {
public:
    File open(const char *path, const char *mode) { return File(of(path), mode); }
    bool exists(const char *path) { return !access(of(path).c_str(), F_OK); }
    bool mkdir(const char *path) { return !::mkdir(of(path).c_str(), 0700); }
    bool remove(const char *path) { return !unlink(of(path).c_str()); }
    bool rename(const char *from, const char *to) { return !::rename(of(from).c_str(), of(to).c_str()); }

private:
    static std::string of(const char *path) { return std::string(host_flash()) + path; }
};

}  // namespace fs

#endif
