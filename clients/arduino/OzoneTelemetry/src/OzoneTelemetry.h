/* The library's front. Stores that need a library of the board are included by themselves, behind that library:
 *
 *     #include <LittleFS.h>
 *     #include <OzoneTelemetry.h>
 *     #include <OzoneLittleFS.h>
 */
#ifndef OZONE_TELEMETRY_H
#define OZONE_TELEMETRY_H

#include "OzoneDevice.h"
#include "OzoneTcp.h"
#include "OzoneTls.h"

#endif
