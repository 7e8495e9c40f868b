/* A store in files of LittleFS, or of another fs::FS whose rename() replaces at once (SPIFFS and FAT do not). Every write
 * is read back before it counts: close() of these file systems tells nobody that it failed.
 *
 *     LittleFS.begin(true);
 *     OzoneLittleFS store(LittleFS);
 */
#ifndef OZONE_LITTLEFS_H
#define OZONE_LITTLEFS_H

#include <FS.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "OzoneStore.h"
#include "core/stores/oz_files.h"

class OzoneLittleFS : public OzoneStore {
public:
    /* `segments`: files of 4 KB at most. `folder` is made when it is not there, and is this store's own. */
    explicit OzoneLittleFS(fs::FS &files, uint32_t segments = 64, const char *folder = "/ozone")
        : _fs(files), _limit(segments), _folder(folder) {}

    bool begin(oz_store &store) override {
        oz_file_system files = {this, append, read, replace, remove, segment};
        if (!_fs.exists(_folder) && !_fs.mkdir(_folder)) return false;
        oz_files_begin(&_files, &files, _limit, &store);
        return true;
    }

private:
    enum { PATH = 48 };

    void path_of(char *path, const char *name) const { snprintf(path, PATH, "%s/%s", _folder, name); }

    /* Whether the file ends with head and body, and has `before` bytes in front of them. */
    bool stands(const char *path, size_t before, const void *head, size_t headLength, const void *body, size_t length) {
        uint8_t piece[64];
        fs::File file = _fs.open(path, "r");
        bool good = file && file.size() == before + headLength + length && file.seek(before);
        for (size_t done = 0; good && done < headLength + length;) {
            const uint8_t *want = done < headLength ? static_cast<const uint8_t *>(head) + done
                                                    : static_cast<const uint8_t *>(body) + (done - headLength);
            size_t left = done < headLength ? headLength - done : headLength + length - done;
            size_t count = left < sizeof piece ? left : sizeof piece;
            good = file.read(piece, count) == count && !memcmp(piece, want, count);
            done += count;
        }
        if (file) file.close();
        return good;
    }

    int put(const char *path, const char *mode, const void *head, size_t headLength, const void *body, size_t length) {
        if (_reading) _reading.close();
        fs::File file = _fs.open(path, mode);
        if (!file) return OZ_BROKEN;
        size_t before = *mode == 'a' ? file.size() : 0;
        bool good = file.write(static_cast<const uint8_t *>(head), headLength) == headLength &&
                    file.write(static_cast<const uint8_t *>(body), length) == length;
        file.close();
        return good && stands(path, before, head, headLength, body, length) ? OZ_OK : OZ_BROKEN;
    }

    static int append(void *self, const char *name, const void *head, size_t headLength, const void *body, size_t length) {
        OzoneLittleFS *store = static_cast<OzoneLittleFS *>(self);
        char path[PATH];
        store->path_of(path, name);
        return store->put(path, "a", head, headLength, body, length);
    }

    /* The file that was read last stays open: records are read in their order. */
    static int read(void *self, const char *name, uint32_t offset, void *into, size_t room) {
        OzoneLittleFS *store = static_cast<OzoneLittleFS *>(self);
        if (!store->_reading || strcmp(store->_read, name)) {
            char path[PATH];
            store->path_of(path, name);
            if (store->_reading) store->_reading.close();
            if (!store->_fs.exists(path)) return 0;
            store->_reading = store->_fs.open(path, "r");
            if (!store->_reading) return -1;
            snprintf(store->_read, sizeof store->_read, "%s", name);
        }
        if (offset >= store->_reading.size()) return 0;
        if (!store->_reading.seek(offset)) return -1;
        return static_cast<int>(store->_reading.read(static_cast<uint8_t *>(into), room));
    }

    static int replace(void *self, const char *name, const void *head, size_t headLength, const void *body, size_t length) {
        OzoneLittleFS *store = static_cast<OzoneLittleFS *>(self);
        char path[PATH], part[PATH + 5];
        store->path_of(path, name);
        snprintf(part, sizeof part, "%s.new", path);
        int result = store->put(part, "w", head, headLength, body, length);
        if (result != OZ_OK) return result;
        return store->_fs.rename(part, path) && store->stands(path, 0, head, headLength, body, length) ? OZ_OK : OZ_BROKEN;
    }

    static int remove(void *self, const char *name) {
        OzoneLittleFS *store = static_cast<OzoneLittleFS *>(self);
        char path[PATH];
        store->path_of(path, name);
        if (store->_reading) store->_reading.close();
        return store->_fs.remove(path) ? OZ_OK : OZ_BROKEN;
    }

    /* "q0000002a" is segment 42. */
    static uint32_t number_of(const char *name) {
        const char *behind = strrchr(name, '/');
        if (behind) name = behind + 1;
        char *end;
        if (*name != 'q' || strlen(name) != 9) return 0;
        uint32_t number = static_cast<uint32_t>(strtoul(name + 1, &end, 16));
        return *end ? 0 : number;
    }

    static uint32_t segment(void *self, uint32_t from) {
        const OzoneLittleFS *store = static_cast<OzoneLittleFS *>(self);
        uint32_t best = 0;
#ifdef ESP8266
        fs::Dir folder = store->_fs.openDir(store->_folder);
        while (folder.next()) {
            uint32_t number = number_of(folder.fileName().c_str());
#else
        fs::File folder = store->_fs.open(store->_folder, "r");
        for (fs::File file; folder && (file = folder.openNextFile()); file.close()) {
            uint32_t number = number_of(file.name());
#endif
            if (number >= from && (!best || number < best)) best = number;
        }
        return best;
    }

    fs::FS &_fs;
    uint32_t _limit;
    const char *_folder;
    oz_files _files;
    fs::File _reading;
    char _read[10] = "";
};

#endif
