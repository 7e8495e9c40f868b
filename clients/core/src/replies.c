/* What a reply means. */
#include "inside.h"

#include <string.h>

static oz_slice body_of(const oz_device *device) {
    oz_slice body = {device->buffer, device->reply.body};
    return body;
}

static bool code_is(oz_device *device, const char *code) { /* with its quotes */
    oz_slice value;
    return oz_json_get(body_of(device), "code", &value) && oz_json_is(value, code);
}

static void done(oz_device *device, uint32_t next) {
    device->fails[device->job] = 0;
    device->due[device->job] = oz_millis(device) + next;
}

static void blocked(oz_device *device, const char *why) {
    oz_turn(device, OZ_BLOCKED, why);
    device->due[device->job] = oz_millis(device) + OZ_BLOCKED_MS;
}

static void waits(oz_device *device) {
    oz_turn(device, OZ_WAITING_FOR_OPERATOR, "waiting until it is assigned to a machine");
}

#ifdef OZ_ENCRYPT
static void read_key(oz_device *device, oz_slice body) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[48];
    uint8_t key[sizeof device->me.key];
    uint32_t bits = 0, count = 0;
    size_t used = 0;
    if (!oz_json_text_of(body, "encryption_key_b64", text, sizeof text)) return;
    for (const char *at = text; *at && *at != '=' && used < sizeof key; at++) {
        const char *digit = strchr(digits, *at);
        if (!digit) return;
        bits = bits << 6 | (uint32_t)(digit - digits);
        if ((count += 6) >= 8) key[used++] = (uint8_t)(bits >> (count -= 8));
    }
    if (used == sizeof key) memcpy(device->me.key, key, sizeof key);
}
#endif

/* A handshake's or a claim's 2xx. */
static void welcomed(oz_device *device) {
    bool meter = device->set.kind == OZ_METER;
    oz_slice body = body_of(device);
    char *before = device->buffer + OZ_BUFFER - sizeof device->me; /* no room on a stack */
    memcpy(before, &device->me, sizeof device->me);
    if (device->buffer + device->reply.body <= before &&
        oz_json_text_of(body, meter ? "api_key" : "token", device->me.token, sizeof device->me.token) &&
        oz_plain(device->me.token, "") &&
        (meter || (oz_json_text_of(body, "device_id", device->me.device_id, sizeof device->me.device_id) &&
                   oz_plain(device->me.device_id, OZ_NOT_IN_A_PATH)))) {
#ifdef OZ_ENCRYPT
        if (meter) read_key(device, body);
#endif
        if (memcmp(before, &device->me, sizeof device->me) && oz_save_identity(device) != OZ_OK) {
            memcpy(&device->me, before, sizeof device->me); /* a token that is not on flash would be gone with the power */
            oz_failed(device, oz_no_flash);
            return;
        }
    } else {
        memcpy(&device->me, before, sizeof device->me);
        oz_nonsense(device);
        return;
    }
    device->known_bad = false;
    done(device, OZ_HELLO_MS);
    if (meter || oz_json_true_of(body, "assigned"))
        oz_turn(device, OZ_ONLINE, "online");
    else
        waits(device);
}

/* 401: by its code. A key is never erased. */
static void not_let_in(oz_device *device) {
    if (code_is(device, "\"not_assigned\"")) {
        waits(device);
    } else if (device->set.kind == OZ_METER) {
        blocked(device, "the server does not know its key: claim it anew");
        return;
    } else if (!device->known_bad) {
        device->known_bad = true;
        oz_turn(device, OZ_ENROLLING, "asks for a new token");
        device->due[OZ_HELLO] = oz_millis(device);
    }
    oz_later(device, device->job);
}

/* A batch of which the server took some: those that it refused are set aside, the next go on. */
static bool took_all_but(oz_device *device) {
    oz_slice results, item, value;
    if (device->reply.cut || !oz_json_get(body_of(device), "results", &results)) return false;
    for (int sure = 0; sure < 2; sure++) { /* first whether each names its record: else nobody has said a word of it */
        oz_key key = device->acked;
        const char *at = results.at;
        uint16_t count = 0;
        for (; oz_json_each(results, &at, &item); count++) {
            key = oz_first_after(device, key);
            if (!oz_json_get(item, "event_id", &value) || !oz_queue_is(device, key, value)) return false;
            if (!oz_json_get(item, "ack", &value)) return false;
            if (sure && !oz_json_true(value)) oz_queue_refuse(device, key);
        }
        if (count != device->batch) return false;
    }
    return true;
}

static bool member(oz_device *device, const char *name) {
    oz_slice value;
    return oz_json_get(body_of(device), name, &value);
}

/* A 2xx alone is nobody's word: a hotel's login page says 200 to whatever it is sent. */
static void sent(oz_device *device) {
    oz_slice body = body_of(device), value;
    bool all = device->kind == OZ_READING ? member(device, "status") : oz_json_true_of(body, "ack");
    if (!all && !took_all_but(device)) {
        if (device->batch == 1 && !device->fewer) {
            oz_nonsense(device);
            return;
        }
        device->batch_limit = 1; /* one by one, so that it is known which */
        done(device, 0);
        return;
    }
    oz_queue_passed(device, device->upto, device->batch);
    device->batch_limit = OZ_BATCH;
    done(device, 0);
    if (oz_json_get(body, "commands", &value) && !oz_json_is(value, "0") && device->set.kind == OZ_MACHINE)
        device->due[OZ_POLL] = oz_millis(device);
}

static void refused(oz_device *device, uint16_t status) {
    if (device->job == OZ_RESULT) { /* nobody waits for this result */
        oz_commands_told(device, oz_commands_next(device));
        done(device, 0);
    } else if (device->job == OZ_SEND && (device->batch > 1 || device->fewer)) {
        device->batch_limit = status == 413 && device->batch > 1 ? device->batch / 2 : 1;
        done(device, 0);
    } else if (device->job == OZ_SEND && (status == 400 || status == 413 || status == 415)) {
        oz_queue_refuse(device, device->upto);
        oz_queue_passed(device, device->upto, 1);
        done(device, 0);
    } else {
        oz_failed(device, "the server did not understand");
    }
}

void oz_answered(oz_device *device) {
    uint16_t status = device->reply.status;
    uint32_t now = oz_millis(device);
    device->heard = now;
    device->ever_heard = true;
    device->phase = OZ_IDLE;
    device->since = now;
    if (device->reply.date) {
        device->clock_utc = device->reply.date;
        device->clock_at = device->tenths;
    }
    if (device->reply.close) oz_close(device);
    if (device->job == OZ_TIME) {
        oz_queue_anchor(device, oz_now(device));
        done(device, device->anchored ? 0 : 2000);
        return;
    }
    if (status >= 200 && status < 300) {
        if (device->job == OZ_HELLO) {
            welcomed(device);
            return;
        }
        if (device->job == OZ_POLL ? !device->walk.told : device->job == OZ_RESULT && !member(device, "status")) {
            oz_nonsense(device);
            return;
        }
        oz_turn(device, OZ_ONLINE, "online");
        if (device->job == OZ_RESULT) {
            oz_commands_told(device, oz_commands_next(device));
            done(device, 0);
        } else if (device->job == OZ_SEND) {
            sent(device);
        } else { /* a held poll is asked for again at once, one that was answered early not before a second */
            device->reason_told = true;
            done(device, device->set.held_poll_s ? 1000 : device->set.poll_ms);
        }
    } else if (status == 401) {
        not_let_in(device);
    } else if (status == 403 && code_is(device, "\"not_assigned\"")) {
        waits(device);
        oz_later(device, device->job);
    } else if (status == 403 && code_is(device, "\"reenrolment_required\"")) {
        blocked(device, "known by its MAC, its token is not: press Allow re-enrolment on its page");
    } else if (status == 403 && code_is(device, "\"device_archived\"")) {
        blocked(device, "archived by an operator: restore it there");
    } else if (status == 400 && device->job == OZ_HELLO) {
        blocked(device, device->set.kind == OZ_METER ? "the provisioning token is not good (any more)"
                                                     : "the server does not take this MAC");
    } else if (status >= 400 && status < 500 && status != 403 && status != 408 && status != 429 &&
               (status != 404 || device->job == OZ_RESULT)) {
        refused(device, status);
    } else {
        oz_failed(device, status == 503 ? "the server cannot store now" : "the server answers with an error");
    }
}

