/* Commands: each at most once, whatever the power does; their results until the server has them. */
#include "inside.h"

#include <string.h>

/* All others at most once. */
static bool repeatable(const char *type) {
    return !strcmp(type, "GET_STATUS") || !strcmp(type, "SYNC_TIME") || !strcmp(type, "UPDATE_SETTINGS");
}

static int save(oz_device *device) {
    return device->store.replace(device->store.self, OZ_SLOT_COMMANDS, device->commands, sizeof device->commands);
}

/* Cut to its room, and never inside a letter: half a letter would be no UTF-8, and the report refused. */
static void say(char into[OZ_SAID], const char *text) {
    size_t length = strlen(text);
    if (length > OZ_SAID - 1) {
        length = OZ_SAID - 1;
        while (length && ((unsigned char)text[length] & 0xc0) == 0x80) length--;
    }
    memmove(into, text, length);
    into[length] = 0;
}

/* What the flash remembers of the last boot: whatever was begun and not ended was interrupted. */
void oz_commands_begin(oz_device *device) {
    oz_slot(device, OZ_SLOT_COMMANDS, device->commands, sizeof device->commands);
    for (oz_kept *kept = device->commands; kept < device->commands + OZ_COMMANDS; kept++) {
        kept->id[OZ_COMMAND_ID - 1] = kept->message[OZ_SAID - 1] = 0;
        if (kept->stage != OZ_BEGUN && kept->stage != OZ_REBOOTING) continue;
        kept->success = kept->stage == OZ_REBOOTING;
        say(kept->message, kept->success ? "restarted" : "interrupted");
        kept->stage = OZ_TO_REPORT;
    }
}

static oz_kept *known(oz_device *device, const char *id) {
    for (oz_kept *kept = device->commands; kept < device->commands + OZ_COMMANDS; kept++)
        if (kept->stage != OZ_FREE && !strcmp(kept->id, id)) return kept;
    return NULL;
}

/* A place for one more: a free one, else that of the oldest whose result the server has. The newest stands last. */
static oz_kept *place(oz_device *device) {
    oz_kept *at = device->commands, *last = at + OZ_COMMANDS - 1;
    while (at <= last && at->stage != OZ_FREE && at->stage != OZ_REPORTED) at++;
    if (at > last) return NULL;
    memmove(at, at + 1, (size_t)((char *)last - (char *)at));
    memset(last, 0, sizeof *last);
    return last;
}

static bool asks(oz_device *device, const oz_command *command, oz_result *result) {
    memset(result, 0, sizeof *result);
    return device->set.handler && device->set.handler(device->set.handler_self, command, result);
}

/* Types that the core carries out by itself; false for all others. */
static bool own(oz_device *device, oz_kept *kept, const oz_command *command) {
    const char *type = command->type;
    const char *good, *bad = oz_no_flash;
    if (!strcmp(type, "CLEAR_QUEUE")) {
        kept->success = oz_queue_clear(device);
        good = "queue cleared";
    } else if (!strcmp(type, "REBOOT_DEVICE")) {
        kept->success = device->platform.restart != NULL;
        good = "restarting";
        bad = "this device cannot restart itself";
        if (kept->success) kept->stage = OZ_REBOOTING;
        device->restarting = kept->success;
    } else if (!strcmp(type, "SYNC_TIME")) {
        kept->success = oz_now(device) != 0;
        good = "time known";
        bad = "time not known";
    } else if (!strcmp(type, "CLEAR_MEMORY")) { /* the queue stays: what was promised is promised */
        oz_result result;
        asks(device, command, &result);
        kept->success = oz_forget(device) == OZ_OK;
        good = "token forgotten";
    } else {
        return false;
    }
    say(kept->message, kept->success ? good : bad);
    return true;
}

static void carry_out(oz_device *device, const oz_command *command, bool whole) {
    bool again = repeatable(command->type);
    oz_kept *kept = known(device, command->id);
    if (kept && !(again && kept->stage == OZ_REPORTED)) { /* delivered again: the result, not the deed */
        if (kept->stage == OZ_REPORTED) kept->stage = OZ_TO_REPORT;
        return;
    }
    if (!kept && !(kept = place(device))) return; /* it comes again, or times out: nothing of it was done */
    strcpy(kept->id, command->id);
    kept->stage = OZ_BEGUN;
    kept->on_flash = !again;
    if (!again && save(device) != OZ_OK) { /* at most once cannot be promised without flash */
        kept->stage = OZ_TO_REPORT;
        say(kept->message, oz_no_flash);
        return;
    }
    if (!whole) {
        say(kept->message, "too long for this device");
    } else if (!own(device, kept, command)) {
        oz_result result;
        if (asks(device, command, &result)) {
            result.message[OZ_SAID - 1] = 0;
            kept->success = result.success;
            say(kept->message, result.message);
        } else {
            say(kept->message, "unknown command");
        }
    }
    if (kept->stage == OZ_BEGUN) kept->stage = OZ_TO_REPORT;
    if (!again) save(device);
}

/* `json`: one command as the poll told it, perhaps cut short. */
static void heard(oz_device *device, const char *json, size_t length, bool whole) {
    oz_slice object = {json, length}, value;
    char id[OZ_COMMAND_ID], type[32];
    if (!oz_json_text_of(object, "command_id", id, sizeof id) || !oz_plain(id, OZ_NOT_IN_A_PATH)) return;
    if (!oz_json_text_of(object, "command_type", type, sizeof type)) type[0] = 0;
    oz_command command = {id, type, "{}"};
    if (whole && oz_json_get(object, "payload", &value) && *value.at == '{') {
        char *end = device->buffer + (value.at + value.length - device->buffer);
        *end = 0; /* what stands there has been read */
        command.payload = value.at;
    }
    carry_out(device, &command, whole);
}

void oz_walk_begin(oz_device *device) { memset(&device->walk, 0, sizeof device->walk); }

/* Keeps the object that is being told inside "commands", in the buffer, and nothing else: ten commands of 4 KB each
 * never have to fit. */
void oz_walk_feed(oz_device *device, char byte) {
    oz_walk *walk = &device->walk;
    oz_reply *reply = &device->reply;
    if (reply->status >= 300) { /* an error's code is wanted, and there are no commands in it */
        oz_keep_body(device, byte);
        return;
    }
    bool inside = walk->commands && walk->depth >= 3;
    if (walk->text) {
        if (walk->escaped) {
            walk->escaped = false;
        } else if (byte == '\\') {
            walk->escaped = true;
        } else if (byte == '"') {
            walk->text = false;
        } else if (walk->depth == 1 && walk->key < sizeof walk->name) {
            walk->name[walk->key++] = byte;
        }
    } else if (byte == '"') {
        walk->text = true;
        if (walk->depth == 1) walk->key = 0;
    } else if (byte == '{' || byte == '[') {
        if (walk->depth == 1) {
            walk->commands = byte == '[' && walk->key == 8 && !memcmp(walk->name, "commands", 8);
            walk->told |= walk->commands;
        }
        if (walk->depth < UINT8_MAX) walk->depth++;
        if (walk->commands && walk->depth == 3 && byte == '{') {
            reply->body = 0;
            reply->cut = false;
            inside = true;
        }
    } else if ((byte == '}' || byte == ']') && walk->depth) {
        walk->depth--;
    }
    if (!inside) return;
    if (reply->body < OZ_BUFFER - 1)
        device->buffer[reply->body++] = byte;
    else
        reply->cut = true;
    if (walk->depth == 2) heard(device, device->buffer, reply->body, !reply->cut);
}

oz_kept *oz_commands_next(oz_device *device) {
    for (oz_kept *kept = device->commands; kept < device->commands + OZ_COMMANDS; kept++)
        if (kept->stage == OZ_TO_REPORT) return kept;
    return NULL;
}

void oz_commands_compose(oz_device *device, oz_writer *out, const oz_kept *kept) {
    oz_put(out, kept->success ? "{\"success\":true,\"message\":" : "{\"success\":false,\"message\":");
    oz_put_text(out, kept->message);
    if (device->counted) oz_put_counters(out, &device->counters);
    oz_put_vitals(device, out, false);
    oz_put(out, "}");
}

void oz_commands_told(oz_device *device, oz_kept *kept) {
    kept->stage = OZ_REPORTED;
    if (kept->on_flash) save(device);
}
