/* An energy meter: claims its key with a provisioning token, then sends 50 readings a second in batches.
 *
 * Readings wait in RAM, about 20 s of them, while the server is away: a flash that took 50 of them a second would be worn
 * out within days. The key is on flash. For readings that must outlive a lost power, send one in some seconds and give
 * `flash` in place of `store` to the device.
 */
#include <Preferences.h>
#include <WiFi.h>

#include <OzoneTelemetry.h>
#include <OzonePreferences.h>
#include <OzoneRam.h>

const char *WIFI_NAME = "your network";
const char *WIFI_PASSWORD = "its password";

const bool USE_TLS = true;
const char *API_HOST = "ozone.example.com";
const uint16_t API_PORT = 443;
const char *SERVER_CA_PEM = "";  // the certificate of the authority that signed the server's: -----BEGIN CERTIFICATE-----…
const char *PROVISIONING_TOKEN = "";  // from the page Device Token Management

const uint16_t READINGS_A_SECOND = 50;

OzoneTcp tcp;
OzoneTls tls(tcp, SERVER_CA_PEM);
OzonePreferences flash("ozone");
OzoneRam<96 * 1024> store(flash);
OzoneDevice ozone(USE_TLS ? static_cast<OzoneLink &>(tls) : static_cast<OzoneLink &>(tcp), store);

unsigned long next;
double kwh;

/* In place of your meter's chip. */
float volts() { return 230 + analogRead(34) / 1000.0f; }
float amperes() { return analogRead(35) / 1000.0f; }

void measure() {
  char json[96];
  float voltage = volts(), current = amperes();
  kwh += voltage * current / 3.6e6 / READINGS_A_SECOND;
  snprintf(json, sizeof json, "{\"voltage\":%.1f,\"current\":%.2f,\"power_factor\":%.2f,\"kwh\":%.4f}", voltage, current, 0.97, kwh);
  ozone.reading(json);
}

void show() {
  static unsigned long last;
  if (millis() - last < 1000) return;
  last = millis();
  Serial.printf("state %d %s: %s; %u wait, %u made room\n", ozone.state(), ozone.stateName(), ozone.why(),
                static_cast<unsigned>(ozone.queued()), static_cast<unsigned>(ozone.dropped()));
}

void setup() {
  Serial.begin(115200);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  configTime(0, 0, "pool.ntp.org");
  ozone.server(API_HOST, API_PORT)
      .claim(PROVISIONING_TOKEN)
      .network([] { return WiFi.status() == WL_CONNECTED; })
      .capacity(1200)
      .dropOldest();  // of readings the newest matter
  if (!ozone.begin()) Serial.printf("cannot begin: %s\n", ozone.why());
  next = millis();
}

void loop() {
  if (static_cast<long>(millis() - next) >= 0) {
    next += 1000 / READINGS_A_SECOND;
    measure();
  }
  ozone.tick(10);
  show();
}
