/* What happens once in a device's life: a flash that lies or loses, a server that says what none should, a clock that
 * turns over, a queue that drops what is being sent.
 *
 *     edges      says `edges N`, and ends with 1 and the line of what is wrong
 */
#include "one_device.h"

enum { DAY = 86400000 };

/* ------------------------------------------------------------------ the clock */

static void idle_for_a_month(void) {
    anew();
    press(1);
    run(5000);
    for (int hour = 0; hour < 30 * 24; hour++, clock_ms += DAY / 24) oz_tick(&device, 50);
    press(2);
    run(5000);
    CHECK(has(1) && has(2));
}

static void without_a_server_for_two_months(void) {
    anew();
    run(5000);
    reachable = false;
    for (int hour = 0; hour < 60 * 24; hour++, clock_ms += DAY / 24) oz_tick(&device, 50);
    press(1);
    reachable = true;
    run(400000);
    CHECK(has(1) && !strncmp(stored[0].ts, "2027-01-26T20", 13));
}

static void dated_again_as_before(void) { /* the anchor of records whose acknowledgement never came to the flash */
    anew();
    settings.ack_every = 1000;
    for (unsigned boot = 1; boot <= 8; boot++) {
        if (start() != OZ_OK) exit(3);
        reachable = false;
        press(boot);
        run(1000);
        reachable = true;
        for (int i = 0; i < 100 && oz_queued(&device); i++) run(100);
    }
    if (start() != OZ_OK) exit(3);
    run(60000);
    CHECK(stored_count == 8 && !conflicts);
}

/* ------------------------------------------------------------------ the flash */

static void written_and_said_not_to_be(void) {
    anew();
    reachable = false;
    CHECK(press(1) == OZ_OK);
    lies = true;
    CHECK(press(2) == OZ_BROKEN);
    lies = false;
    CHECK(press(3) == OZ_OK);
    reachable = true;
    run(60000);
    CHECK(has(1) && has(3) && oz_can_sleep(&device));
}

static void takes_nothing(void) { /* what it took before goes out, and it is not worn out by asking */
    anew();
    run(5000);
    reachable = false;
    for (unsigned i = 1; i <= 20; i++) press(i);
    full = true;
    in_vain = 0;
    CHECK(press(21) == OZ_FULL);
    reachable = true;
    run(3600000);
    CHECK(press(22) == OZ_FULL && oz_state_of(&device) == OZ_ONLINE && !oz_queued(&device) && has(1) && has(20) && !has(21));
    CHECK(in_vain > 100 && in_vain < 1000 && !oz_can_sleep(&device));
    full = false;
    CHECK(press(23) == OZ_OK);
    run(60000);
    CHECK(has(23) && stored_count == 21 && !conflicts && oz_can_sleep(&device));
    if (start() != OZ_OK) exit(3);
    run(60000);
    CHECK(stored_count == 21 && !conflicts);
}

static void lost_what_was_counted(void) {
    anew();
    reachable = false;
    for (unsigned i = 1; i <= 5; i++) press(i);
    memmove(records + 1, records + 4, sizeof records[0]);
    record_count = 2;
    reachable = true;
    run(60000);
    CHECK(has(1) && has(5) && oz_can_sleep(&device));
}

static void not_even_read(void) {
    anew();
    dead = true;
    CHECK(start() == OZ_BROKEN && oz_why(&device));
    dead = false;
    CHECK(press(1) == OZ_NOT_BEGUN);
}

static void an_identity_of_rubbish(void) {
    anew();
    memset(device.me.token, 0xff, sizeof device.me.token);
    ram_replace(NULL, OZ_SLOT_IDENTITY, &device.me, sizeof device.me);
    CHECK(start() == OZ_OK);
    press(1);
    run(5000);
    CHECK(has(1));
    CHECK(oz_forget(&device) == OZ_OK);
    CHECK(oz_adopt(&device, "\xff\xff\xff", "token") == OZ_INVALID);
    CHECK(oz_adopt(&device, "../admin?", "token") == OZ_INVALID);
    CHECK(oz_adopt(&device, "id", "a\r\nHost: b") == OZ_INVALID);
    CHECK(oz_adopt(&device, "", "token") == OZ_INVALID);
    CHECK(oz_adopt(&device, "EC:E3:34:46:2B:C0", "token") == OZ_OK);
}

/* ------------------------------------------------------------------ the server, and what it is told */

static void dropped_while_it_is_sent(void) {
    anew();
    run(2000);
    settings.drop_oldest = true;
    settings.capacity = 3;
    if (start() != OZ_OK) exit(3);
    run(2000); /* now it knows the time */
    reachable = false;
    for (unsigned i = 1; i <= 3; i++) press(i);
    reachable = slow = true;
    run(4000);
    CHECK(strstr(asked, "POST /api/device/events"));
    press(4);
    CHECK(oz_dropped(&device) == 1 && oz_queued(&device) == 3);
    slow = false;
    run(60000);
    CHECK(has(2) && has(3) && has(4) && oz_can_sleep(&device) && !oz_refused(&device));
}

static void refused_while_another_makes_room(void) { /* what is refused is none of those that are left */
    static const char results[] = "HTTP/1.1 200 OK\r\nContent-Length: 104\r\n\r\n"
                                  "{\"ack\":false,\"results\":["
                                  "{\"event_id\":\"07070707-1-1\",\"ack\":false},{\"event_id\":\"07070707-1-2\",\"ack\":true}]}";
    anew();
    run(2000);
    settings.drop_oldest = true;
    settings.capacity = 2;
    if (start() != OZ_OK) exit(3);
    run(2000); /* now it knows the time */
    reachable = false;
    for (unsigned i = 1; i <= 2; i++) press(i);
    instead = results;
    to = "POST /api/device/events";
    times = 1;
    reachable = slow = true;
    run(4000);
    CHECK(!times);
    press(3);
    slow = false;
    run(60000);
    CHECK(has(2) && has(3) && oz_can_sleep(&device) && !oz_refused(&device));
}

static void answered(const char *body) { /* three in one request */
    static char said[400];
    anew();
    run(2000);
    reachable = false;
    for (unsigned i = 1; i <= 3; i++) press(i);
    snprintf(said, sizeof said, "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n%s", (unsigned)strlen(body), body);
    instead = said;
    to = "POST /api/device/events";
    times = 1;
    reachable = true;
    run(60000);
    CHECK(!times && oz_can_sleep(&device));
}

static void results_that_name_no_record(void) { /* nobody's word: neither stored nor refused */
    static const char *const bodies[] = {"{\"ack\":false,\"results\":[{},{\"event_id\":7},{\"ack\":true}]}",
                                         "{\"ack\":false,\"results\":[{},{},{}]}",
                                         "{\"ack\":false,\"results\":[{\"ack\":false},{\"ack\":false},{\"ack\":false}]}",
                                         "{\"ack\":false,\"results\":[{\"event_id\":\"x-1-1\",\"ack\":false},"
                                         "{\"event_id\":\"x-1-2\",\"ack\":false},{\"event_id\":\"x-1-3\",\"ack\":true}]}",
                                         "{\"ack\":false,\"results\":[{\"event_id\":\"07070707-1-1\"},"
                                         "{\"event_id\":\"07070707-1-2\"},{\"event_id\":\"07070707-1-3\"}]}"};
    for (int i = 0; i < 5; i++) {
        answered(bodies[i]);
        CHECK(has(1) && has(2) && has(3) && !oz_refused(&device));
    }
}

static void one_of_three_is_refused(void) {
    char body[300], id[9];
    anew();
    for (int i = 0; i < 4; i++) snprintf(id + 2 * i, 3, "%02x", device.me.nonce[i]);
    snprintf(body, sizeof body,
             "{\"ack\":false,\"results\":[{\"event_id\":\"%s-1-1\",\"ack\":true},{\"event_id\":\"%s-1-2\",\"ack\":false},"
             "{\"event_id\":\"%s-1-3\",\"ack\":true}]}",
             id, id, id);
    answered(body);
    CHECK(!stored_count && oz_refused(&device) == 1);
}

static void a_head_that_does_not_fit(void) {
    static char host[OZ_BUFFER - OZ_RECORD];
    anew();
    run(2000);
    memset(host, 'h', sizeof host - 1);
    settings.host = host;
    if (start() != OZ_OK) exit(3);
    press(1);
    run(60000);
    CHECK(oz_queued(&device) == 1 && !oz_refused(&device) && !strstr(asked, "POST /api/device/events"));
}

static void archived(void) {
    anew();
    instead = "HTTP/1.1 403 Forbidden\r\nContent-Length: 26\r\n\r\n{\"code\":\"device_archived\"}";
    to = "GET /api/device/";
    run(5000);
    CHECK(oz_state_of(&device) == OZ_BLOCKED && strstr(oz_why(&device), "archived"));
}

static void a_welcome_that_breaks_the_head(void) {
    static const char *const welcomes[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 60\r\n\r\n{\"device_id\":\"m1\",\"token\":\"a\\r\\nX: b\",\"assigned\":true}       ",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"device_id\":\"a/b?\",\"token\":\"t\",\"assigned\":true}  ",
        "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"token\":\"t\",\"assigned\":true}   "};
    for (int i = 0; i < 3; i++) {
        anew();
        instead = welcomes[i];
        to = "POST /api/handshake";
        press(1);
        run(5000);
        CHECK(!oz_device_id(&device)[0] && oz_queued(&device) == 1 && !strstr(asked, "X: b"));
    }
}

static void strings_with_blanks(void) {
    anew();
    settings.reset_reason = "Software reset\r\nX: b&c";
    settings.firmware = "1 0\r\n";
    if (start() != OZ_OK) exit(3);
    run(5000);
    CHECK(strstr(asked, "&firmware=1%200%0d%0a&reset_reason=Software%20reset%0d%0aX%3a%20b%26c&queue"));
}

int main(void) {
    void (*const all[])(void) = {idle_for_a_month, without_a_server_for_two_months, dated_again_as_before,
                                 written_and_said_not_to_be, takes_nothing, lost_what_was_counted, not_even_read,
                                 an_identity_of_rubbish,
                                 dropped_while_it_is_sent, refused_while_another_makes_room,
                                 results_that_name_no_record, one_of_three_is_refused, a_head_that_does_not_fit,
                                 archived, a_welcome_that_breaks_the_head, strings_with_blanks};
    return all_of("edges", all, sizeof all / sizeof all[0]);
}
