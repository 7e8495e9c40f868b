#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "Arduino.h"

HostSerial Serial;
HostChip ESP;
static bool low[256];

unsigned long micros() {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<unsigned long>(now.tv_sec) * 1000000 + static_cast<unsigned long>(now.tv_nsec) / 1000;
}

unsigned long millis() { return micros() / 1000; }
void delay(unsigned long ms) { usleep(static_cast<useconds_t>(ms * 1000)); }
void pinMode(uint8_t, uint8_t) {}
int digitalRead(uint8_t pin) { return low[pin] ? LOW : HIGH; }
void digitalWrite(uint8_t, uint8_t) {}
int analogRead(uint8_t) { return static_cast<int>(random() & 0xfff); }
void configTime(long, int, const char *) {}

size_t strlcpy(char *into, const char *text, size_t room) {
    snprintf(into, room, "%s", text);
    return strlen(text);
}

size_t HostSerial::write(uint8_t byte) { return fwrite(&byte, 1, 1, stdout); }

size_t HostSerial::printf(const char *format, ...) {
    va_list words;
    va_start(words, format);
    int count = vprintf(format, words);
    va_end(words);
    return static_cast<size_t>(count);
}

void HostChip::restart() {
    printf("restart\n");
    fflush(stdout);
    _exit(0);
}

const char *host_flash() { return getenv("HOST_FLASH"); }

static char *in_base(unsigned long value, bool minus, char *into, int base) {
    char digits[70];
    int at = sizeof digits;
    digits[--at] = 0;
    do {
        digits[--at] = "0123456789abcdefghijklmnopqrstuvwxyz"[value % static_cast<unsigned>(base)];
    } while (value /= static_cast<unsigned>(base));
    if (minus) digits[--at] = '-';
    return strcpy(into, digits + at);
}

char *ultoa(unsigned long value, char *into, int base) { return in_base(value, false, into, base); }
char *utoa(unsigned value, char *into, int base) { return in_base(value, false, into, base); }
char *itoa(int value, char *into, int base) { return ltoa(value, into, base); }
char *ltoa(long value, char *into, int base) {
    return in_base(value < 0 ? 0 - static_cast<unsigned long>(value) : static_cast<unsigned long>(value), value < 0, into, base);
}
char *dtostrf(double value, signed char width, unsigned char digits, char *into) {
    sprintf(into, "%*.*f", width, digits, value);
    return into;
}

static void obey(const char *line) {
    unsigned pin, level;
    if (sscanf(line, "pin %u %u", &pin, &level) == 2) low[pin & 255] = !level;
}

int main() {
    static char line[256];
    size_t used = 0;
    setvbuf(stdout, nullptr, _IOLBF, 0);
    fcntl(0, F_SETFL, O_NONBLOCK);
    setup();
    for (;;) {
        struct pollfd in = {0, POLLIN, 0};
        poll(&in, 1, 2);
        ssize_t got = read(0, line + used, sizeof line - 1 - used);
        if (!got && (in.revents & (POLLHUP | POLLIN))) return 0;
        if (got > 0) used += static_cast<size_t>(got);
        for (char *end; (end = static_cast<char *>(memchr(line, '\n', used)));) {
            *end = 0;
            obey(line);
            used -= static_cast<size_t>(end + 1 - line);
            memmove(line, end + 1, used);
            for (int i = 0; i < 4; i++, delay(10)) loop(); /* a level stays for longer than a button bounces */
        }
        loop();
    }
}
