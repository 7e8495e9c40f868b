/* The device: what is done next, one exchange at a time, piece by piece. */
#include "inside.h"

#include <string.h>

enum { IDLE_ACK_MS = 5000, REUSE_MS = 25000 };

const char oz_no_flash[] = "the flash could not be written";

uint32_t oz_millis(const oz_device *device) { return device->platform.millis(device->platform.self); }

static bool reached(uint32_t now, uint32_t when) { return (int32_t)(now - when) >= 0; }

uint32_t oz_now(const oz_device *device) {
    uint32_t utc = device->platform.utc ? device->platform.utc(device->platform.self) : 0;
    if (utc) return utc;
    uint32_t passed = (device->tenths - device->clock_at) / 10 + (oz_millis(device) - device->ticked) / 1000;
    return device->clock_utc ? device->clock_utc + passed : 0;
}

int oz_save_identity(oz_device *device) {
    return device->store.replace(device->store.self, OZ_SLOT_IDENTITY, &device->me, sizeof device->me);
}

void oz_turn(oz_device *device, oz_state state, const char *why) {
    device->state = state;
    device->why = why;
}

int oz_begin(oz_device *device, const oz_settings *settings, const oz_platform *platform, const oz_store *store,
             const oz_transport *transport) {
    memset(device, 0, sizeof *device);
    device->set = *settings;
    device->platform = *platform;
    device->store = *store;
    device->net = *transport;
    if (!device->set.poll_ms) device->set.poll_ms = 30000;
    if (!device->set.capacity) device->set.capacity = 1000;
    if (!device->set.ack_every) device->set.ack_every = 16;
    if (!device->set.timeout_ms) device->set.timeout_ms = 8000;
    if (device->set.held_poll_s > 30) device->set.held_poll_s = 30;
    device->batch_limit = OZ_BATCH;
    device->ticked = oz_millis(device);
    for (int job = 0; job < OZ_NO_JOB; job++) device->due[job] = device->ticked;
    oz_turn(device, OZ_OFFLINE, "not connected yet");
    int result = oz_queue_begin(device);
    if (result == OZ_OK)
        oz_commands_begin(device);
    else
        device->store.append = NULL; /* not begun */
    return result;
}

/* ------------------------------------------------------------------ what is done next */

static bool needs_token(const oz_device *device) {
    return !device->me.token[0] || device->known_bad || device->state == OZ_WAITING_FOR_OPERATOR;
}

static uint8_t choose(oz_device *device, uint32_t now) {
    bool meter = device->set.kind == OZ_METER;
    if (needs_token(device)) {
        if (meter && !device->set.claim_token) {
            oz_turn(device, OZ_BLOCKED, "no key: give it a provisioning token");
            return OZ_NO_JOB;
        }
        return reached(now, device->due[OZ_HELLO]) ? OZ_HELLO : OZ_NO_JOB;
    }
    if (oz_commands_next(device) && reached(now, device->due[OZ_RESULT])) return OZ_RESULT;
    if (device->queued && reached(now, device->due[OZ_SEND])) {
        if (!device->undated || device->anchored) return OZ_SEND;
        if (reached(now, device->due[OZ_TIME])) return OZ_TIME; /* first the time, then what happened before it was known */
        return OZ_NO_JOB;
    }
    if (!meter && reached(now, device->due[OZ_POLL])) return OZ_POLL;
    return OZ_NO_JOB;
}

void oz_close(oz_device *device) {
    if (device->open || device->phase == OZ_OPENING) device->net.close(device->net.self);
    device->open = false;
    device->phase = OZ_IDLE;
}

/* Not before: 2 s, doubling to 300 s, ± 20 %, and never sooner than the server asked for. */
void oz_later(oz_device *device, uint8_t job) {
    uint8_t fails = device->fails[job] < 8 ? device->fails[job]++ : 8;
    uint32_t wait = fails < 8 ? 2000u << fails : OZ_BLOCKED_MS, chance = 0;
    if (wait > OZ_BLOCKED_MS) wait = OZ_BLOCKED_MS;
    device->platform.random(device->platform.self, &chance, sizeof chance);
    wait = wait / 10 * 8 + chance % (wait / 10 * 4);
    if (device->reply.retry_after * 1000 > wait) wait = device->reply.retry_after * 1000;
    device->due[job] = oz_millis(device) + wait;
}

void oz_failed(oz_device *device, const char *why) {
    uint8_t job = device->job;
    bool again = device->reused && !device->reply.status && !device->reply.line;
    oz_close(device);
    if (again) { /* the server had closed a connection that was kept: once more on a new one, at once */
        device->reused = false;
        device->due[job] = oz_millis(device);
        return;
    }
    device->why = why;
    if (device->state == OZ_ONLINE) device->state = OZ_OFFLINE;
    oz_later(device, job);
}

void oz_nonsense(oz_device *device) { oz_failed(device, "the server's answer makes no sense"); }

/* ------------------------------------------------------------------ one exchange, piece by piece */

static void begin_exchange(oz_device *device, uint8_t job, uint32_t now) {
    device->job = job;
    oz_reply_begin(device);
    if (!oz_compose(device, job)) {
        if (job != OZ_SEND) oz_turn(device, OZ_BLOCKED, "OZ_BUFFER is too small");
        device->due[job] = now + (job == OZ_SEND ? 1000u : OZ_BLOCKED_MS);
        return;
    }
    if (device->open && now - device->since > REUSE_MS) oz_close(device); /* the server closes idle connections */
    device->reused = device->open;
    device->phase = device->open ? OZ_WRITING : OZ_OPENING;
    device->since = now;
}

/* One step; false when nothing more can be done now. */
static bool step(oz_device *device, uint32_t budget) {
    uint32_t now = oz_millis(device), limit = device->set.timeout_ms;
    char bytes[128];
    int count;
    if (device->phase != OZ_IDLE) {
        if (device->phase == OZ_READING_REPLY && device->job == OZ_POLL) limit += device->set.held_poll_s * 1000u;
        if (now - device->since > limit) {
            oz_failed(device, "no answer in time");
            return true;
        }
    }
    switch (device->phase) {
    case OZ_OPENING:
        count = device->net.open(device->net.self, device->set.host, device->set.port, budget);
        if (count < 0) {
            oz_failed(device, "no connection");
            return true;
        }
        if (!count) return false;
        device->open = true;
        device->phase = OZ_WRITING;
        device->since = oz_millis(device);
        return true;
    case OZ_WRITING:
        count = device->net.write(device->net.self, device->buffer + device->sent, (size_t)(device->length - device->sent));
        if (count < 0) {
            oz_failed(device, "the connection broke");
            return true;
        }
        device->sent = (uint16_t)(device->sent + count);
        if (device->sent == device->length) {
            device->phase = OZ_READING_REPLY;
            device->since = now;
            oz_walk_begin(device);
        }
        return count > 0;
    case OZ_READING_REPLY: {
        count = device->net.read(device->net.self, bytes, sizeof bytes);
        if (!count) { /* a press does not wait for a poll that is held */
            bool held = device->job == OZ_POLL && device->queued && !device->reply.status &&
                        reached(now, device->due[OZ_SEND]) && device->set.held_poll_s;
            if (!held) return false;
            oz_close(device);
            device->due[OZ_POLL] = now;
            return true;
        }
        oz_progress progress = OZ_NONSENSE;
        if (count > 0) {
            bool walks = device->job == OZ_POLL;
            progress = oz_reply_feed(device, bytes, (size_t)count, walks ? oz_walk_feed : oz_keep_body);
        } else if (device->reply.status && oz_reply_ended(device)) {
            device->reply.close = true;
            progress = OZ_DONE;
        }
        if (progress == OZ_NONSENSE && count > 0)
            oz_nonsense(device);
        else if (progress == OZ_NONSENSE)
            oz_failed(device, "the connection broke");
        else if (progress == OZ_DONE)
            oz_answered(device);
        return true;
    }
    default: {
        uint8_t job = choose(device, now);
        if (job == OZ_NO_JOB) {
            if (!device->queued && now - device->moved > IDLE_ACK_MS) oz_queue_write_ack(device);
            return false;
        }
        begin_exchange(device, job, now);
        return true;
    }
    }
}

/* Tenths of a second since the start, through every turn of millis(). */
static void keep_time(oz_device *device, uint32_t now) {
    uint32_t passed = device->rest + (now - device->ticked);
    device->ticked = now;
    device->tenths += passed / 100;
    device->rest = passed % 100;
    for (int job = 0; job < OZ_NO_JOB; job++) /* what was due long ago would be in the future once millis() is half round */
        if (reached(now, device->due[job])) device->due[job] = now;
    uint32_t utc = device->undated && !device->anchored ? oz_now(device) : 0;
    if (utc) oz_queue_anchor(device, utc);
}

void oz_tick(oz_device *device, uint32_t budget) {
    uint32_t began = oz_millis(device), now = began;
    if (!device->store.append) return;
    do {
        keep_time(device, now);
        if (device->restarting && !device->phase) {
            oz_queue_write_ack(device);
            device->platform.restart(device->platform.self);
            device->restarting = false; /* only where a restart returns */
        }
        if (!step(device, budget - (now - began))) return;
        now = oz_millis(device);
    } while (now - began < budget);
}
