/* A machine in the field changes firmware without a visit: the identity in the EEPROM of the firmware before (device_id at
 * 140, token at 204) is taken over once, and the server sees the same machine go on.
 *
 * The EEPROM stays as it is, so that the old firmware could come back. Bring your own counters along in the same way, from
 * where that firmware keeps them: the server's ledger counts on their going on.
 */
#include <EEPROM.h>
#include <LittleFS.h>
#include <WiFi.h>

#include <OzoneTelemetry.h>
#include <OzoneLittleFS.h>

const char *WIFI_NAME = "your network";
const char *WIFI_PASSWORD = "its password";

const bool USE_TLS = true;
const char *API_HOST = "ozone.example.com";
const uint16_t API_PORT = 443;
const char *SERVER_CA_PEM = "";  // the certificate of the authority that signed the server's: -----BEGIN CERTIFICATE-----…

const int EEPROM_BYTES = 512;
const int DEVICE_ID_AT = 140, DEVICE_ID_BYTES = 64;
const int TOKEN_AT = 204, TOKEN_BYTES = 128;

OzoneTcp tcp;
OzoneTls tls(tcp, SERVER_CA_PEM);
OzoneLittleFS store(LittleFS);
OzoneDevice ozone(USE_TLS ? static_cast<OzoneLink &>(tls) : static_cast<OzoneLink &>(tcp), store);
char mac[18];

void readText(int at, int bytes, char *into) {
  for (int i = 0; i < bytes; i++) into[i] = static_cast<char>(EEPROM.read(at + i));
  into[bytes - 1] = 0;
}

/* An EEPROM that was never written, or a name that was only provisional, is no identity: the machine enrols anew then. */
void takeOver() {
  char deviceId[DEVICE_ID_BYTES], token[TOKEN_BYTES];
  if (*ozone.deviceId()) return;
  if (!EEPROM.begin(EEPROM_BYTES)) return;
  readText(DEVICE_ID_AT, DEVICE_ID_BYTES, deviceId);
  readText(TOKEN_AT, TOKEN_BYTES, token);
  bool taken = strncmp(deviceId, "pending-", 8) && ozone.adopt(deviceId, token);
  Serial.printf("%s\n", taken ? "identity taken over" : "no identity in the EEPROM");
}

void setup() {
  Serial.begin(115200);
  WiFi.begin(WIFI_NAME, WIFI_PASSWORD);
  strlcpy(mac, WiFi.macAddress().c_str(), sizeof mac);
  bool mounted = LittleFS.begin(true);
  ozone.server(API_HOST, API_PORT)
      .identity(mac, "2.0.0")
      .network([] { return WiFi.status() == WL_CONNECTED; })
      .restart([] { ESP.restart(); });
  if (mounted && ozone.begin())
    takeOver();
  else
    Serial.printf("no flash, no promises: %s\n", ozone.why());
}

void loop() {
  static int shown = -1;
  ozone.tick(50);
  if (ozone.state() == shown) return;
  shown = ozone.state();
  Serial.printf("state %d %s: %s\n", shown, ozone.stateName(), ozone.why());
}
