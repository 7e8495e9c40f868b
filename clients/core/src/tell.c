/* What the device tells, and what can be asked of it. */
#include "inside.h"

#include <string.h>

enum { LATELY_MS = 180000 };

void oz_put_counters(oz_writer *out, const oz_counters *counters) {
    oz_put_member(out, ",\"current_counters\":{\"basic\":", counters->basic);
    oz_put_member(out, ",\"standard\":", counters->standard);
    oz_put_member(out, ",\"premium\":", counters->premium);
    oz_put(out, "}");
}

int oz_press(oz_device *device, oz_treatment treatment, uint32_t counter, const oz_counters *all) {
    static const char *const names[] = {"BASIC", "STANDARD", "PREMIUM"};
    char record[OZ_HEAD + 240];
    oz_writer out = {record + OZ_HEAD, record + sizeof record, false};
    if (!device->store.append) return OZ_NOT_BEGUN;
    if ((unsigned)treatment > OZ_PREMIUM || counter > INT32_MAX) return OZ_INVALID;
    oz_put(&out, "{\"event\":\"treatment\",\"treatment\":\"");
    oz_put(&out, names[treatment]);
    oz_put_member(&out, "\",\"counter\":", counter);
    if (all) {
        oz_put_counters(&out, all);
        oz_count(device, *all);
    }
    oz_put_vitals(device, &out, false);
    return out.full ? OZ_TOO_LONG : oz_queue_append(device, OZ_EVENT, (uint8_t *)record, (size_t)(out.at - record));
}

int oz_reading(oz_device *device, const char *json) {
    char record[OZ_RECORD];
    size_t length = strlen(json);
    if (!device->store.append) return OZ_NOT_BEGUN;
    if (length < 2 || *json != '{' || json[length - 1] != '}' || oz_json_skip(json, json + length) != json + length)
        return OZ_INVALID;
    do {
        length--; /* the end of the object is written behind the id */
    } while (length > 1 && (json[length - 1] == ' ' || json[length - 1] == '\n' || json[length - 1] == '\r' ||
                            json[length - 1] == '\t'));
    if (OZ_HEAD + length > sizeof record) return OZ_TOO_LONG;
    memcpy(record + OZ_HEAD, json, length);
    return oz_queue_append(device, OZ_READING, (uint8_t *)record, OZ_HEAD + length);
}

void oz_count(oz_device *device, oz_counters counters) {
    device->counters = counters;
    device->counted = true;
}

void oz_vitals(oz_device *device, int rssi, uint32_t free_heap) {
    device->rssi = rssi;
    device->free_heap = free_heap;
}

void oz_put_vitals(oz_device *device, oz_writer *out, bool query) {
    uint32_t rssi = (uint32_t)device->rssi;
    if (rssi) oz_put(out, query ? "&rssi=" : ",\"rssi\":");
    if (device->rssi < 0) {
        oz_put(out, "-");
        rssi = 0u - rssi;
    }
    if (rssi) oz_put_number(out, rssi);
    if (device->free_heap) oz_put_member(out, query ? "&free_heap=" : ",\"free_heap\":", device->free_heap);
    oz_put_member(out, query ? "&queue_length=" : ",\"queue_length\":", device->queued);
}

int oz_adopt(oz_device *device, const char *device_id, const char *token) {
    if (device->me.token[0]) return OZ_OK;
    if (!oz_plain(device_id, OZ_NOT_IN_A_PATH) || !oz_plain(token, "")) return OZ_INVALID; /* EEPROM that was never written */
    if (strlen(device_id) >= OZ_DEVICE_ID || strlen(token) >= OZ_TOKEN) return OZ_TOO_LONG;
    strcpy(device->me.device_id, device_id);
    strcpy(device->me.token, token);
    return oz_save_identity(device);
}

int oz_forget(oz_device *device) {
    memset(device->me.token, 0, sizeof device->me.token);
    memset(device->me.key, 0, sizeof device->me.key);
    device->known_bad = false;
    device->due[OZ_HELLO] = oz_millis(device);
    return oz_save_identity(device);
}

oz_state oz_state_of(const oz_device *device) {
    bool lately = device->ever_heard && oz_millis(device) - device->heard < LATELY_MS;
    return device->state == OZ_ONLINE && !lately ? OZ_OFFLINE : device->state;
}

const char *oz_why(const oz_device *device) { return device->why; }
const char *oz_device_id(const oz_device *device) { return device->me.device_id; }
uint32_t oz_queued(const oz_device *device) { return device->queued; }
uint32_t oz_dropped(const oz_device *device) { return device->dropped; }
uint32_t oz_refused(const oz_device *device) { return device->refused; }

bool oz_can_sleep(const oz_device *device) {
    return device->phase == OZ_IDLE && !device->queued && !oz_after(device->acked, device->written) &&
           !oz_commands_next((oz_device *)device) && !device->restarting;
}

