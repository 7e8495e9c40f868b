/* A treatment machine: three buttons, three counters, all eight commands of the server.
 *
 * A press beeps only when it is on flash; from then on it reaches the server, whatever the power and the network do.
 */
#include <LittleFS.h>
#include <Preferences.h>
#include <WiFi.h>

#include <OzoneTelemetry.h>
#include <OzoneLittleFS.h>

const char *WIFI_NAME = "your network";
const char *WIFI_PASSWORD = "its password";

const bool USE_TLS = true;
const char *API_HOST = "ozone.example.com";
const uint16_t API_PORT = 443;
const char *SERVER_CA_PEM = "";  // the certificate of the authority that signed the server's: -----BEGIN CERTIFICATE-----…

const char *FIRMWARE = "2.0.0";
const uint8_t BUTTONS[] = {25, 26, 27};  // basic, standard, premium; each against ground
const uint8_t BEEPER = 14;

OzoneTcp tcp;
OzoneTls tls(tcp, SERVER_CA_PEM);
OzoneLittleFS store(LittleFS);
OzoneDevice ozone(USE_TLS ? static_cast<OzoneLink &>(tls) : static_cast<OzoneLink &>(tcp), store);

Preferences settings;
OzoneCounters counters;
char mac[18];
uint16_t beepMs = 100;

bool keepCounters(const OzoneCounters &next) {
  if (settings.putBytes("counters", &next, sizeof next) != sizeof next) return false;
  counters = next;
  ozone.count(counters);
  return true;
}

void beep() {
  digitalWrite(BEEPER, HIGH);
  delay(beepMs);
  digitalWrite(BEEPER, LOW);
}

/* The counter goes to flash first: after a power cut between the two a number is missing, and none comes twice. */
void pressed(uint8_t treatment) {
  OzoneCounters before = counters, next = counters;
  uint32_t *all[] = {&next.basic, &next.standard, &next.premium};
  uint32_t counter = ++*all[treatment];
  if (!keepCounters(next) || !ozone.press(static_cast<oz_treatment>(treatment), counter, counters)) {
    keepCounters(before);
    Serial.printf("not taken: %d\n", ozone.lastResult());
    return;
  }
  Serial.printf("promised %c %u\n", "BSP"[treatment], static_cast<unsigned>(counter));
  beep();
}

bool resetCounters(const OzoneCommand &, OzoneReply &reply) {
  reply.success = keepCounters(OzoneCounters());
  strcpy(reply.message, reply.success ? "counters are 0" : "the flash could not be written");
  return true;
}

/* What is this machine's own goes; the library forgets the token then, and never what is queued. */
bool clearMemory(const OzoneCommand &, OzoneReply &) {
  settings.remove("beep");
  beepMs = 100;
  return true;
}

bool updateSettings(const OzoneCommand &command, OzoneReply &reply) {
  const char *found = strstr(command.payload, "\"beep_ms\":");
  int wanted = found ? atoi(found + 10) : -1;
  reply.success = wanted >= 0 && wanted <= 1000;
  if (reply.success) settings.putUShort("beep", beepMs = static_cast<uint16_t>(wanted));
  strcpy(reply.message, reply.success ? "set" : "wanted: beep_ms, 0 to 1000");
  return true;
}

bool getStatus(const OzoneCommand &, OzoneReply &reply) {
  reply.success = true;
  snprintf(reply.message, sizeof reply.message, "up %lu s, heap %u, queue %u", millis() / 1000,
           static_cast<unsigned>(ESP.getFreeHeap()), static_cast<unsigned>(ozone.queued()));
  return true;
}

bool updateFirmware(const OzoneCommand &, OzoneReply &reply) {
  strcpy(reply.message, "this firmware is updated by cable");  // success stays false
  return true;
}

/* For a display; here the serial line is one. */
void show() {
  static int shown = -1;
  static const char *why;
  if (ozone.state() == shown && ozone.why() == why) return;
  shown = ozone.state();
  why = ozone.why();
  Serial.printf("state %d %s: %s\n", shown, ozone.stateName(), why);
}

void setup() {
  Serial.begin(115200);
  for (uint8_t pin : BUTTONS) pinMode(pin, INPUT_PULLUP);
  pinMode(BEEPER, OUTPUT);
  settings.begin("machine");
  settings.getBytes("counters", &counters, sizeof counters);
  beepMs = settings.getUShort("beep", 100);

  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  strlcpy(mac, WiFi.macAddress().c_str(), sizeof mac);
  configTime(0, 0, "pool.ntp.org");

  bool mounted = LittleFS.begin(true);
  ozone.server(API_HOST, API_PORT)
      .identity(mac, FIRMWARE)
      .network([] { return WiFi.status() == WL_CONNECTED; })
      .restart([] { ESP.restart(); })
      .resetReason("start")
      .onCommand("RESET_COUNTERS", resetCounters)
      .onCommand("CLEAR_MEMORY", clearMemory)
      .onCommand("UPDATE_SETTINGS", updateSettings)
      .onCommand("GET_STATUS", getStatus)
      .onCommand("UPDATE_FIRMWARE", updateFirmware);  // REBOOT_DEVICE, CLEAR_QUEUE, SYNC_TIME: the library's own
  if (!mounted || !ozone.begin()) Serial.printf("no flash, no promises: %s\n", ozone.why());
  ozone.count(counters);
}

void loop() {
  static bool down[3];
  static unsigned long moved[3];
  for (uint8_t i = 0; i < 3; i++) {
    bool now = digitalRead(BUTTONS[i]) == LOW;
    if (now == down[i] || millis() - moved[i] < 30) continue;  // a button bounces
    down[i] = now;
    moved[i] = millis();
    if (now) pressed(i);
  }
  ozone.vitals(WiFi.RSSI(), ESP.getFreeHeap());
  ozone.tick(20);
  show();
}
