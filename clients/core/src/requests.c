/* The requests, each written into the one buffer. */
#include "inside.h"

static void put_device_path(oz_device *device, oz_writer *out) {
    oz_put(out, "/api/device/");
    oz_put(out, device->me.device_id);
    oz_put(out, "/commands/");
}

/* Writes the request of `job` into the buffer; false when there is none to be made. */
bool oz_compose(oz_device *device, uint8_t job) {
    oz_request request;
    oz_kept *kept = NULL;
    bool get = job == OZ_POLL || job == OZ_TIME;
    oz_writer *out = &request.out;
    oz_request_begin(device, &request, get ? "GET" : "POST");
    switch (job) {
    case OZ_HELLO:
        oz_put(out, device->set.kind == OZ_METER ? "/api/devices/claim" : "/api/handshake/");
        break;
    case OZ_RESULT:
        kept = oz_commands_next(device);
        put_device_path(device, out);
        oz_put(out, kept->id);
        oz_put(out, "/");
        break;
    case OZ_SEND: {
        oz_key first = oz_first_after(device, device->acked), found, before = {first.boot, first.number - 1};
        uint8_t kind = OZ_EVENT;
        if (first.boot) device->store.next(device->store.self, before, &found, &kind, 1);
        oz_put(out, kind == OZ_READING ? "/api/device-data/ingest" : "/api/device/events/");
        break;
    }
    case OZ_POLL:
        put_device_path(device, out);
        oz_put_member(out, "?wait=", oz_state_of(device) == OZ_ONLINE ? device->set.held_poll_s : 0); /* first: is it let in */
        if (device->set.firmware) {
            oz_put(out, "&firmware=");
            oz_put_query(out, device->set.firmware);
        }
        if (device->set.reset_reason && !device->reason_told) {
            oz_put(out, "&reset_reason=");
            oz_put_query(out, device->set.reset_reason);
        }
        oz_put_vitals(device, out, true);
        break;
    default:
        oz_put(out, "/healthz");
    }
    oz_request_head(device, &request, !get);
    if (job == OZ_HELLO && device->set.kind == OZ_METER) {
        oz_put(out, "{\"token\":");
        oz_put_text(out, device->set.claim_token);
        oz_put(out, "}");
    } else if (job == OZ_HELLO) {
        oz_put(out, "{\"mac\":");
        oz_put_text(out, device->set.mac);
        if (device->set.firmware) {
            oz_put(out, ",\"firmware\":");
            oz_put_text(out, device->set.firmware);
        }
        oz_put(out, "}");
    } else if (kept) {
        oz_commands_compose(device, out, kept);
    } else if (job == OZ_SEND && !(device->batch = oz_queue_compose(device, out, device->batch_limit))) {
        return false;
    }
    return oz_request_end(device, &request);
}

