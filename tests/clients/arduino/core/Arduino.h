/* A computer as a board: pins are told on standard input ("pin 25 0"), the serial line is standard output. */
#ifndef HOST_ARDUINO_H
#define HOST_ARDUINO_H

#include <avr/pgmspace.h>
#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOW = 0, HIGH = 1, INPUT = 0, OUTPUT = 1, INPUT_PULLUP = 2 };
typedef bool boolean;
typedef uint8_t byte;

unsigned long millis();
unsigned long micros();
void delay(unsigned long ms);
void pinMode(uint8_t pin, uint8_t mode);
int digitalRead(uint8_t pin);
void digitalWrite(uint8_t pin, uint8_t level);
int analogRead(uint8_t pin);
void configTime(long, int, const char *);
size_t strlcpy(char *into, const char *text, size_t room);

void setup();
void loop();

#include "WString.h"

#include "Print.h"
#include "Stream.h"

#include "IPAddress.h"

class HostSerial : public Stream {
public:
    void begin(unsigned long) {}
    size_t write(uint8_t byte) override;
    size_t printf(const char *format, ...) __attribute__((format(printf, 2, 3)));
    int available() override { return 0; }
    int read() override { return -1; }
    int peek() override { return -1; }
};
extern HostSerial Serial;

class HostChip {
public:
    [[noreturn]] void restart();
    uint32_t getFreeHeap() { return 200000; }
};
extern HostChip ESP;

/* The folder that is this board's flash. */
const char *host_flash();

#endif
