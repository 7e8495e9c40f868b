/* What a server says, and what the device makes of it: whose word counts, how replies are written, dates, waits, commands.
 *
 *     words      says `words N`, and ends with 1 and the line of what is wrong
 */
#include <setjmp.h>
#include <time.h>

#include "../src/inside.h"
#include "one_device.h"

#define EVENTS "POST /api/device/events"
#define PAGE "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 14\r\n\r\n<html>Sign in!"
#define COMMAND \
    "HTTP/1.1 200 OK\r\n\r\n{\"commands\":[{\"command_id\":\"00000000-0000-4000-8000-000000000001\",\"command_type\":\"RESET_COUNTERS\"," \
    "\"payload\":{\"of\":\"this very machine\"}}]}"

static void says(const char *to_what, const char *what, int so_often) {
    to = to_what;
    instead = what;
    times = so_often;
    asked[0] = 0;
}

static int asked_for(const char *what) {
    int count = 0;
    for (const char *at = asked; (at = strstr(at, what)); at++) count++;
    return count;
}

/* A device that polls seldom, knows the time and has its token. */
static void online(void) {
    anew();
    settings.poll_ms = 100000000;
    if (start() != OZ_OK) exit(3);
    run(3000);
    CHECK(oz_state_of(&device) == OZ_ONLINE && oz_now(&device));
}

/* ------------------------------------------------------------------ whose word counts */

static void a_login_page_stores_nothing(void) {
    static const char *const pages[] = {PAGE, "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\n",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"ack\":false}",
                                        "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue"};
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++)
        for (unsigned presses = 1; presses <= 3; presses++) {
            online();
            closes = true;
            says(EVENTS, pages[i], -1);
            for (unsigned press_of = 1; press_of <= presses; press_of++) press(press_of);
            run(20000);
            CHECK(oz_queued(&device) == presses && oz_state_of(&device) == OZ_OFFLINE && asked_for(EVENTS) > 2);
            instead = NULL;
            run(60000);
            CHECK(!oz_queued(&device) && !oz_refused(&device) && stored_count == (int)presses);
        }
}

static void nor_a_meters_reading(void) {
    anew();
    settings.kind = OZ_METER;
    settings.claim_token = "claim";
    CHECK(start() == OZ_OK && oz_adopt(&device, "m1", "key") == OZ_OK);
    CHECK(oz_reading(&device, "{\"v\":1}") == OZ_OK);
    says("POST ", PAGE, -1);
    run(60000);
    CHECK(oz_queued(&device) == 1);
    says("POST ", "HTTP/1.1 201 Created\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}", -1);
    run(100000);
    CHECK(!oz_queued(&device) && asked_for("POST ") == 1);
}

static void nor_makes_it_anybody_online(void) {
    anew();
    CHECK(oz_adopt(&device, "m1", "token") == OZ_OK);
    says("GET /api/device/", PAGE, -1);
    run(20000);
    CHECK(oz_state_of(&device) == OZ_OFFLINE && asked_for("GET ") > 2);
}

static void let_in_by_the_code(void) {
    online();
    says(EVENTS, "HTTP/1.1 401 No\r\nContent-Length: 23\r\n\r\n{\"code\":\"not_assigned\"}", 1);
    press(1);
    run(100);
    CHECK(oz_state_of(&device) == OZ_WAITING_FOR_OPERATOR && oz_queued(&device) == 1);
    instead = NULL;
    run(60000);
    CHECK(has(1) && asked_for("POST /api/handshake/") == 1 && strstr(strstr(asked, "handshake"), "Bearer abcdefgh"));
    online();
    says(EVENTS, "HTTP/1.1 401 No\r\nContent-Length: 25\r\n\r\n{\"code\":\"bad_credential\"}", 1);
    press(1);
    run(60000);
    CHECK(has(1) && asked_for("POST /api/handshake/") == 1 && strstr(strstr(asked, "handshake"), "Bearer abcdefgh"));
}

/* ------------------------------------------------------------------ how replies are written */

static void written_in_any_way(void) {
    static char longer[3500];
    static const char *const replies[] = {
        "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\ncOnTeNt-lEnGtH:12\r\n\r\n{\"ack\":true}",
        "HTTP/1.1 200 OK\r\nTRANSFER-ENCODING:  Chunked\r\n\r\n00A;a=\"b\"\r\n{\"ack\":tru\r\n2\r\ne}\r\n0\r\nTrailer: 1\r\n\r\n",
        "HTTP/1.0 200 OK\r\nServer: old\r\n\r\n{\"ack\":true}", "HTTP/1.1 200\nContent-Length: 12\n\n{\"ack\":true}",
        "\r\nHTTP/1.1 200 OK\r\nContent-Length:\t12 \r\nConnection: Close\r\n\r\n{\"ack\":true}", longer};
    int head = sprintf(longer, "HTTP/1.1 200 OK\r\nContent-Length: 3000\r\nX-%0200d: 1\r\n\r\n{\"ack\":true}", 0);
    memset(longer + head, ' ', 2988);
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        online();
        closes = true;
        says(EVENTS, replies[i], -1);
        press(1);
        run(1500);
        CHECK(oz_can_sleep(&device) || !oz_queued(&device));
        CHECK(asked_for(EVENTS) == 1 && oz_state_of(&device) == OZ_ONLINE);
    }
}

static void waits_as_long_as_it_is_told(void) {
    static const struct {
        const char *words;
        int least, most; /* of tries in 1,000 s */
    } waits[] = {{"120", 8, 9}, {"3600", 1, 1}, {"99999999999999999999", 1, 1}, {"-5", 8, 12}, {"", 8, 12},
                 {"Fri, 27 Nov 2026 23:00:00 GMT", 8, 12}, {"0", 8, 12}};
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        char busy[120];
        snprintf(busy, sizeof busy, "HTTP/1.1 503 Busy\r\nretry-after: %s\r\nContent-Length: 0\r\n\r\n", waits[i].words);
        online();
        says(EVENTS, busy, -1);
        press(1);
        run(1000000);
        CHECK(asked_for(EVENTS) >= waits[i].least && asked_for(EVENTS) <= waits[i].most);
        instead = NULL;
        run(3700000);
        CHECK(has(1));
    }
}

/* ------------------------------------------------------------------ dates */

static void each_day_until_2106(void) {
    anew();
    for (uint32_t day = 0; day < 49710; day++) {
        char wanted[40], said[40];
        time_t utc = (time_t)day * 86400 + day % 86400;
        oz_writer out = {said, said + sizeof said - 1, false};
        struct tm *parts = gmtime(&utc);
        oz_put_instant(&out, (uint32_t)utc);
        *out.at = 0;
        strftime(wanted, sizeof wanted, "\"%Y-%m-%dT%H:%M:%SZ\"", parts);
        CHECK(!strcmp(said, wanted));
    }
}

static uint32_t told(const char *date) {
    static char reply[200];
    anew();
    CHECK(oz_adopt(&device, "m1", "token") == OZ_OK);
    snprintf(reply, sizeof reply, "HTTP/1.1 500 Oh\r\ndate: %s\r\nContent-Length: 0\r\n\r\n", date);
    says("GET ", reply, 1);
    run(100);
    return oz_now(&device);
}

static void dates_as_servers_write_them(void) {
    static const char *const none[] = {"Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 2026", "Fri, 27 Foo 2026 20:01:02 GMT",
                                       "Fri, 32 Nov 2026 20:01:02 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 00 Nov 2026 20:01:02 GMT",
                                       "Fri, 27 Nov 9999 20:01:02 GMT", "Fri, 27 Nov 2026 24:01:02 GMT", "", "-1",
                                       "Fri, 7 Nov 2026 20:01:02 GMT"};
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) CHECK(!told(none[i]));
    for (uint32_t day = 18262; day < 49700; day += 131) {
        char date[40];
        time_t utc = (time_t)day * 86400 + day * 7 % 86400;
        strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime(&utc));
        CHECK(told(date) == (uint32_t)utc);
    }
    CHECK(told("thu, 29 FEB 2024 23:59:60 gmt") == 1709251200);
}

/* ------------------------------------------------------------------ commands, and a power cut at each of their steps */

static jmp_buf power;
static int done, cut_at;

static bool handle(void *self, const oz_command *command, oz_result *result) {
    (void)self;
    CHECK(!strcmp(command->payload, "{\"of\":\"this very machine\"}"));
    if (cut_at == 1) longjmp(power, 1);
    done++;
    if (cut_at == 2) longjmp(power, 1);
    result->success = true;
    return true;
}

static void at_most_once_whenever_the_power_goes(void) {
    for (cut_at = 0; cut_at < 4; cut_at++) {
        anew();
        settings.handler = handle;
        settings.poll_ms = 1000;
        CHECK(start() == OZ_OK);
        closes = true;
        says("GET /api/device/", COMMAND, -1); /* delivered at each poll */
        done = 0;
        if (!setjmp(power)) run(cut_at == 3 ? 100 : 5000);
        if (cut_at) CHECK(start() == OZ_OK);
        int at = cut_at;
        cut_at = 0;
        run(5000);
        cut_at = at;
        CHECK(done == (cut_at == 1 ? 0 : 1));
        CHECK(asked_for(cut_at == 1 || cut_at == 2 ? "{\"success\":false,\"message\":\"interrupted\"" : "{\"success\":true,"));
        CHECK(!asked_for(cut_at == 1 || cut_at == 2 ? "{\"success\":true" : "{\"success\":false"));
    }
}

/* ------------------------------------------------------------------ what is taken */

static void a_full_queue_as_chosen(void) {
    online();
    settings.capacity = 2;
    CHECK(start() == OZ_OK);
    run(3000);
    reachable = false;
    CHECK(press(1) == OZ_OK && press(2) == OZ_OK && press(3) == OZ_FULL && oz_queued(&device) == 2 && !oz_dropped(&device));
    reachable = true;
    run(60000);
    CHECK(press(4) == OZ_OK);
    run(60000);
    CHECK(has(1) && has(2) && !has(3) && has(4) && stored_count == 3);

    online();
    settings.drop_oldest = true;
    lot = 40;
    CHECK(start() == OZ_OK);
    run(3000);
    reachable = false;
    for (unsigned i = 1; i <= RAM_RECORDS; i++) CHECK(press(i) == OZ_OK);
    CHECK(press(RAM_RECORDS + 1) == OZ_OK && oz_dropped(&device) == 40); /* a whole lot must go */
    reachable = true;
    run(60000);
    CHECK(stored_count == 61 && has(41) && has(RAM_RECORDS + 1) && !has(40));
}

static void ids_of_an_erased_flash_are_others(void) {
    online();
    press(1);
    run(3000);
    CHECK(!strcmp(stored[0].id, "07070707-1-1"));
    record_count = 0;
    memset(slots, 0, sizeof slots);
    chance = 8;
    CHECK(start() == OZ_OK);
    press(2);
    run(60000);
    CHECK(stored_count == 2 && !strcmp(stored[1].id, "08080808-1-1"));
}

static void readings_that_are_no_json(void) {
    static const char *const good[] = {"{}", "{\"v\":-1.5e+3,\"w\":[true,false,null,{}],\"x\":\"\\u00e9 é\"} "};
    static const char *const bad[] = {"", "{", "[1]", "{\"v\":nan}", "{\"v\":-nan}", "{\"v\":inf}", "{\"v\":tru}", "{\"v\":}",
                                      "{\"v\":1,}", "{v:1}", "{\"v\":1}}", "{\"v\" 1}", "{\"a\":\"\n\"}", "{\"v\":truely}"};
    online();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) CHECK(oz_reading(&device, bad[i]) == OZ_INVALID);
    CHECK(oz_reading(&device, good[0]) == OZ_OK && oz_reading(&device, "{\"v\":1}") == OZ_OK && oz_queued(&device) == 2);
}

int main(void) {
    void (*const all[])(void) = {a_login_page_stores_nothing, nor_a_meters_reading, nor_makes_it_anybody_online,
                                 let_in_by_the_code, written_in_any_way, waits_as_long_as_it_is_told, each_day_until_2106,
                                 dates_as_servers_write_them, at_most_once_whenever_the_power_goes, a_full_queue_as_chosen,
                                 ids_of_an_erased_flash_are_others, readings_that_are_no_json};
    return all_of("words", all, sizeof all / sizeof all[0]);
}
