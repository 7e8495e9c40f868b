"""Who gets what at every address: the table that `test_scoping.py` holds against the URL map.

A table of one line a route and method, and as long as there are such: it is read as a whole.

A new route needs a row here, for each method it takes: method, path, and what each of seven callers gets. What is sent
with it stands in BODIES. A method that has no row is 405 for staff, at every path.

    nobody    no credential
    stranger  an account that registered itself and owns nothing
    owner     whose things the path names
    other     an account that owns as much, but other things
    staff     not a superuser
    key       the key of the owner's device
    strange   the key of the other account's device

`login` is a redirect to the sign-in page. People come with a session; where WITH_TOKEN says so, with an access token.
`<device>` and the like, in path and body, are the owner's things: `Estate.named` and `station()` in `estate.py`.
"""

from typing import Final, NamedTuple

CALLERS: Final = ("nobody", "stranger", "owner", "other", "staff", "key", "strange")

MONTH: Final = "2025-01"
"""That of a `<statement>`. It is over, and nobody sold anything."""

WITH_TOKEN: Final = ("/api/internal/stations/",)
"""Where people come with an access token: a session is nobody there."""

SECTION_1: Final = """
# method and path                                                    nobody   stranger owner other staff key   strange
POST   /{mount}/devices/claim                                        201      201      201   201   201   201   201
POST   /{mount}/device-data/ingest                                   401      401      401   401   401   201   201
POST   /{mount}/devices/<device>/provision                           401      404      201   404   201   401   401
GET    /{mount}/devices/<device>/telemetry/latest                    401      404      200   404   200   200   404
GET    /{mount}/devices/<device>/telemetry                           401      404      200   404   200   200   404
"""

DEVICES: Final = """
GET    /api/devices/                                                 401      200      200   200   200   401   401
POST   /api/devices/                                                 401      403      403   403   201   401   401
GET    /api/devices/<device>/                                        401      404      200   404   200   401   401
PATCH  /api/devices/<device>/                                        401      403      403   403   200   401   401
DELETE /api/devices/<device>/                                        401      403      403   403   204   401   401
POST   /api/devices/<device>/restore/                                401      403      403   403   200   401   401
POST   /api/devices/<device>/rotate/                                 401      403      403   403   200   401   401
POST   /api/devices/<device>/allow-handshake/                        401      403      403   403   200   401   401
GET    /api/devices/<device>/handshakes/                             401      404      200   404   200   401   401
GET    /api/devices/<device>/quarantine/                             401      404      200   404   200   401   401
POST   /api/devices/<device>/quarantine/<quarantined>/discard/       401      403      403   403   200   401   401
POST   /api/devices/<device>/quarantine/<quarantined>/accept/        401      403      403   403   200   401   401
POST   /api/devices/<device>/redate/                                 401      403      403   403   200   401   401
GET    /api/devices/online/                                          401      200      200   200   200   401   401
GET    /api/devices/all/                                             401      200      200   200   200   401   401
GET    /api/devices-data/                                            401      200      200   200   200   401   401
GET    /api/telemetry/summary/?device_id=<device>                    401      404      200   404   200   401   401
GET    /api/telemetry/latest/?device_id=<device>                     401      404      200   404   200   401   401
"""

OZONE: Final = """
POST   /api/handshake/                                               200      200      200   200   200   200   200
POST   /api/device/events/                                           401      401      401   401   401   200   401
POST   /api/events/                                                  401      401      401   401   401   200   401
POST   /api/iot/                                                     200      200      200   200   200   200   200
GET    /api/device/<device>/commands/                                401      401      401   401   401   200   401
POST   /api/device/<device>/commands/<sent>/                         401      401      401   401   401   200   401
POST   /api/device/<device>/commands/create/                         401      403      403   403   201   401   401
GET    /api/device/<device>/commands/status/                         401      403      403   403   200   401   401
POST   /api/commands/bulk/                                           401      403      403   403   201   401   401
POST   /api/commands/<failed>/retry/                                 401      403      403   403   200   401   401
POST   /api/commands/<pending>/cancel/                               401      403      403   403   200   401   401
GET    /api/events/                                                  401      200      200   200   200   401   401
GET    /api/events/<event>/                                          401      404      200   404   200   401   401
GET    /api/export/                                                  401      200      200   200   200   401   401
GET    /api/events/analytics/                                        401      200      200   200   200   401   401
GET    /api/outlets/                                                 401      200      200   200   200   401   401
POST   /api/outlets/                                                 401      403      403   403   201   401   401
GET    /api/outlets/<outlet>/                                        401      404      200   404   200   401   401
PUT    /api/outlets/<outlet>/                                        401      403      403   403   200   401   401
PATCH  /api/outlets/<outlet>/                                        401      403      403   403   200   401   401
DELETE /api/outlets/<outlet>/                                        401      403      403   403   204   401   401
POST   /api/outlets/<outlet>/restore/                                401      403      403   403   200   401   401
GET    /api/machines/                                                401      200      200   200   200   401   401
POST   /api/machines/                                                401      403      403   403   201   401   401
POST   /api/machines/register/                                       401      403      403   403   201   401   401
GET    /api/machines/unregistered/                                   401      200      200   200   200   401   401
GET    /api/machines/<machine>/                                      401      404      200   404   200   401   401
PUT    /api/machines/<machine>/                                      401      403      403   403   200   401   401
PATCH  /api/machines/<machine>/                                      401      403      403   403   200   401   401
DELETE /api/machines/<machine>/                                      401      403      403   403   204   401   401
POST   /api/machines/<machine>/restore/                              401      403      403   403   200   401   401
POST   /api/machines/<machine>/device/                               401      403      403   403   200   401   401
POST   /api/machines/<machine>/device/undo/                          401      403      403   403   200   401   401
GET    /api/machines/<machine>/logs/                                 401      404      200   404   200   401   401
GET    /api/stats/                                                   401      200      200   200   200   401   401
GET    /api/stats/options/                                           401      200      200   200   200   401   401
GET    /api/stats/export.csv                                         401      200      200   200   200   401   401
GET    /api/test/stats/                                              401      200      200   200   200   401   401
GET    /api/test/stats-options/                                      401      200      200   200   200   401   401
GET    /api/test/stats-export.csv                                    401      200      200   200   200   401   401
POST   /api/flush/                                                   401      403      403   403   403   401   401
"""

PEOPLE: Final = """
POST   /api/auth/login/                                              200      200      200   200   200   200   200
POST   /api/auth/token/                                              200      200      200   200   200   200   200
POST   /api/admin/login/                                             401      401      401   401   401   401   401
POST   /api/admin/refresh/                                           401      401      401   401   401   401   401
POST   /api/auth/register/                                           400      400      400   400   400   400   400
POST   /api/auth/logout/                                             200      200      200   200   200   401   401
GET    /api/auth/user/                                               401      200      200   200   200   401   401
GET    /api/auth/check/                                              200      200      200   200   200   200   200
"""

MONEY: Final = """
GET    /api/ledger/                                                  401      200      200   200   200   401   401
POST   /api/ledger/lines/<line>/settle/                              401      403      403   403   201   401   401
GET    /api/prices/                                                  401      403      403   403   200   401   401
POST   /api/prices/                                                  401      403      403   403   201   401   401
DELETE /api/prices/<price>/                                          401      403      403   403   204   401   401
GET    /api/revenue/                                                 401      200      200   200   200   401   401
GET    /api/revenue/outlets/                                         401      200      200   200   200   401   401
GET    /api/revenue/outlets.csv                                      401      200      200   200   200   401   401
GET    /api/revenue/export.csv                                       401      200      200   200   200   401   401
GET    /api/shares/                                                  401      403      403   403   200   401   401
POST   /api/shares/                                                  401      403      403   403   201   401   401
DELETE /api/shares/<share>/                                          401      403      403   403   204   401   401
GET    /api/statements/                                              401      403      403   403   200   401   401
GET    /api/statements/<statement>/                                  401      403      403   403   200   401   401
GET    /api/statements/<statement>/export.csv                        401      403      403   403   200   401   401
POST   /api/statements/<statement>/close/                            401      403      403   403   200   401   401
"""

ALERTS: Final = """
GET    /api/channels/                                                401      200      200   200   200   401   401
POST   /api/channels/                                                401      403      201   201   201   401   401
GET    /api/channels/<channel>/                                      401      404      200   404   404   401   401
PATCH  /api/channels/<channel>/                                      401      404      200   404   404   401   401
DELETE /api/channels/<channel>/                                      401      404      204   404   404   401   401
POST   /api/channels/<channel>/test/                                 401      404      202   404   404   401   401
POST   /api/channels/<unverified>/code/                              401      404      202   404   404   401   401
POST   /api/channels/<unverified>/verify/                            401      404      400   404   404   401   401
GET    /api/deliveries/                                              401      200      200   200   200   401   401
POST   /api/deliveries/<delivery>/replay/                            401      404      202   404   404   401   401
GET    /api/incidents/                                               401      200      200   200   200   401   401
GET    /api/incidents/<incident>/                                    401      404      200   404   200   401   401
POST   /api/incidents/<incident>/acknowledge/                        401      404      200   404   200   401   401
POST   /api/incidents/<incident>/snooze/                             401      404      200   404   200   401   401
GET    /api/alert-rules/                                             401      200      200   200   200   401   401
POST   /api/alert-rules/                                             401      403      403   403   200   401   401
GET    /api/alert-rules/effective/?device_id=<device>                401      404      200   404   200   401   401
DELETE /api/alert-rules/<rule>/                                      401      403      403   403   204   401   401
GET    /api/maintenance/                                             401      200      200   200   200   401   401
POST   /api/maintenance/                                             401      403      403   403   201   401   401
DELETE /api/maintenance/<window>/                                    401      403      403   403   204   401   401
"""

STATIONS: Final = """
POST   /api/internal/stations/data/                                  401      403      403   403   403   401   401
POST   /api/internal/stations/verify/                                401      403      403   403   403   401   401
GET    /api/stations/                                                401      403      403   403   200   401   401
GET    /api/stations/<station>/                                      401      403      403   403   200   401   401
GET    /api/power-banks/                                             401      403      403   403   200   401   401
"""

PROJECT: Final = """
GET    /api/schema/                                                  401      200      200   200   200   401   401
GET    /api/docs/                                                    401      200      200   200   200   401   401
GET    /healthz                                                      200      200      200   200   200   200   200
GET    /readyz                                                       200      200      200   200   200   200   200
GET    /metrics                                                      401      401      401   401   401   401   401
"""

PAGES: Final = """
GET    /                                                             login    200      200   200   200   login login
GET    /favicon.ico                                                  302      302      302   302   302   302   302
GET    /login/                                                       200      302      302   302   302   200   200
POST   /login/                                                       200      302      302   302   302   200   200
POST   /logout/                                                      302      302      302   302   302   302   302
GET    /register/                                                    200      302      302   302   302   200   200
POST   /register/                                                    200      302      302   302   302   200   200
GET    /account/                                                     login    200      200   200   200   login login
POST   /account/                                                     login    200      200   200   200   login login
GET    /gateway/device-tokens                                        login    200      200   200   200   login login
POST   /gateway/device-tokens                                        login    200      200   200   200   login login
GET    /device-tokens/                                               login    200      200   200   200   login login
POST   /device-tokens/                                               login    200      200   200   200   login login
POST   /device-tokens/<token>/revoke/                                login    404      302   404   302   login login
GET    /device-tokens/revoke-key/?device=<device>                    login    404      200   404   200   login login
POST   /device-tokens/revoke-key/?device=<device>                    login    404      200   404   200   login login
GET    /devices/                                                     login    200      200   200   200   login login
GET    /devices/<device>/commands/                                   login    404      200   404   200   login login
GET    /devices/<device>/commands/send/                              login    403      403   403   200   login login
POST   /devices/<device>/commands/send/                              login    403      403   403   200   login login
GET    /devices/<device>/commands/<failed>/retry/                    login    403      403   403   200   login login
POST   /devices/<device>/commands/<failed>/retry/                    login    403      403   403   302   login login
GET    /devices/<device>/commands/<pending>/cancel/                  login    403      403   403   200   login login
POST   /devices/<device>/commands/<pending>/cancel/                  login    403      403   403   302   login login
GET    /device-add/                                                  login    403      403   403   200   login login
POST   /device-add/                                                  login    403      403   403   200   login login
GET    /device-bulk/                                                 login    403      403   403   302   login login
POST   /device-bulk/                                                 login    403      403   403   302   login login
GET    /command-bulks/                                               login    403      403   403   200   login login
GET    /command-bulks/<bulk>/                                        login    403      403   403   200   login login
GET    /command-bulks/<bulk>/cancel/                                 login    403      403   403   200   login login
POST   /command-bulks/<bulk>/cancel/                                 login    403      403   403   302   login login
GET    /device-upload/                                               login    403      403   403   200   login login
POST   /device-upload/                                               login    403      403   403   200   login login
GET    /stats/                                                       login    200      200   200   200   login login
GET    /find/                                                        login    200      200   200   200   login login
GET    /stations/                                                    login    403      403   403   200   login login
GET    /stations/<station>/                                          login    403      403   403   200   login login
GET    /machines/                                                    login    200      200   200   200   login login
GET    /machines/add/                                                login    403      403   403   200   login login
POST   /machines/add/                                                login    403      403   403   200   login login
GET    /machines/deleted/                                            login    403      403   403   200   login login
GET    /machines/labels/                                             login    403      403   403   200   login login
GET    /machines/<machine>/logs/                                     login    404      200   404   200   login login
GET    /machines/<machine>/ledger/                                   login    404      200   404   200   login login
GET    /machines/<machine>/ledger/<line>/settle/                     login    403      403   403   200   login login
POST   /machines/<machine>/ledger/<line>/settle/                     login    403      403   403   200   login login
GET    /machines/<machine>/edit/                                     login    403      403   403   200   login login
POST   /machines/<machine>/edit/                                     login    403      403   403   302   login login
GET    /machines/<machine>/assign/                                   login    403      403   403   200   login login
POST   /machines/<machine>/assign/                                   login    403      403   403   200   login login
GET    /machines/<machine>/unassign/                                 login    403      403   403   200   login login
POST   /machines/<machine>/unassign/                                 login    403      403   403   302   login login
GET    /machines/<machine>/delete/                                   login    403      403   403   200   login login
POST   /machines/<machine>/delete/                                   login    403      403   403   302   login login
GET    /install/                                                     login    403      403   403   200   login login
POST   /install/                                                     login    403      403   403   200   login login
GET    /machines/<machine>/install/                                  login    403      403   403   200   login login
GET    /machines/<machine>/install/boards/<spare>/                   login    403      403   403   200   login login
POST   /machines/<machine>/install/boards/<spare>/                   login    403      403   403   302   login login
GET    /machines/<machine>/install/undo/                             login    403      403   403   200   login login
POST   /machines/<machine>/install/undo/                             login    403      403   403   302   login login
GET    /machines/<machine>/restore/                                  login    403      403   403   200   login login
POST   /machines/<machine>/restore/                                  login    403      403   403   302   login login
GET    /outlets/                                                     login    200      200   200   200   login login
GET    /outlets/deleted/                                             login    403      403   403   200   login login
GET    /outlets/add/                                                 login    403      403   403   200   login login
POST   /outlets/add/                                                 login    403      403   403   200   login login
GET    /outlets/<outlet>/                                            login    404      200   404   200   login login
GET    /outlets/<outlet>/edit/                                       login    403      403   403   200   login login
POST   /outlets/<outlet>/edit/                                       login    403      403   403   302   login login
GET    /outlets/<outlet>/delete/                                     login    403      403   403   200   login login
POST   /outlets/<outlet>/delete/                                     login    403      403   403   302   login login
GET    /outlets/<outlet>/restore/                                    login    403      403   403   200   login login
POST   /outlets/<outlet>/restore/                                    login    403      403   403   302   login login
GET    /prices/                                                      login    403      403   403   200   login login
GET    /prices/set/                                                  login    403      403   403   200   login login
POST   /prices/set/                                                  login    403      403   403   200   login login
GET    /prices/share/                                                login    403      403   403   200   login login
POST   /prices/share/                                                login    403      403   403   200   login login
GET    /prices/<price>/delete/                                       login    403      403   403   200   login login
POST   /prices/<price>/delete/                                       login    403      403   403   302   login login
GET    /prices/share/<share>/delete/                                 login    403      403   403   200   login login
POST   /prices/share/<share>/delete/                                 login    403      403   403   302   login login
GET    /statements/                                                  login    403      403   403   200   login login
GET    /statements/close/<month>/                                    login    403      403   403   200   login login
POST   /statements/close/<month>/                                    login    403      403   403   302   login login
GET    /statements/<statement>/                                      login    403      403   403   200   login login
GET    /statements/<statement>/close/                                login    403      403   403   200   login login
POST   /statements/<statement>/close/                                login    403      403   403   302   login login
GET    /channels/stop/<stop>/                                        200      200      200   200   200   200   200
POST   /channels/stop/<stop>/                                        200      200      200   200   200   200   200
GET    /incidents/                                                   login    200      200   200   200   login login
GET    /incidents/<incident>/                                        login    404      200   404   200   login login
GET    /incidents/<incident>/acknowledge/                            login    404      200   404   200   login login
POST   /incidents/<incident>/acknowledge/                            login    404      302   404   302   login login
GET    /incidents/<incident>/snooze/                                 login    404      200   404   200   login login
POST   /incidents/<incident>/snooze/                                 login    404      200   404   200   login login
GET    /incidents/maintenance/                                       login    403      403   403   200   login login
GET    /incidents/maintenance/add/                                   login    403      403   403   200   login login
POST   /incidents/maintenance/add/                                   login    403      403   403   400   login login
GET    /incidents/maintenance/<window>/end/                          login    403      403   403   200   login login
POST   /incidents/maintenance/<window>/end/                          login    403      403   403   302   login login
GET    /incidents/rules/                                             login    403      403   403   200   login login
GET    /incidents/rules/set/                                         login    403      403   403   200   login login
POST   /incidents/rules/set/                                         login    403      403   403   200   login login
GET    /incidents/rules/<rule>/remove/                               login    403      403   403   200   login login
POST   /incidents/rules/<rule>/remove/                               login    403      403   403   302   login login
GET    /channels/                                                    login    200      200   200   200   login login
GET    /channels/add/                                                login    200      200   200   200   login login
POST   /channels/add/                                                login    200      200   200   200   login login
GET    /channels/<channel>/edit/                                     login    404      200   404   404   login login
POST   /channels/<channel>/edit/                                     login    404      302   404   404   login login
GET    /channels/<unverified>/verify/                                login    404      200   404   404   login login
POST   /channels/<unverified>/verify/                                login    404      200   404   404   login login
GET    /channels/<unverified>/code/                                  login    404      200   404   404   login login
POST   /channels/<unverified>/code/                                  login    404      302   404   404   login login
GET    /channels/<channel>/test/                                     login    404      200   404   404   login login
POST   /channels/<channel>/test/                                     login    404      302   404   404   login login
GET    /channels/<channel>/delete/                                   login    404      200   404   404   login login
POST   /channels/<channel>/delete/                                   login    404      302   404   404   login login
GET    /deliveries/<delivery>/replay/                                login    404      200   404   404   login login
POST   /deliveries/<delivery>/replay/                                login    404      302   404   404   login login
GET    /admin/login/                                                 200      200      200   200   302   200   200
POST   /admin/login/                                                 200      200      200   200   200   200   200
"""

DEVICE_PAGE: Final = """
GET    /device-archive/                                              login    403      403   403   200   login login
GET    /devices/<device>/                                            login    404      200   404   200   login login
GET    /devices/<device>/edit/                                       login    403      403   403   200   login login
POST   /devices/<device>/edit/                                       login    403      403   403   302   login login
GET    /devices/<device>/rename/                                     login    403      403   403   200   login login
POST   /devices/<device>/rename/                                     login    403      403   403   302   login login
GET    /devices/<device>/assign/                                     login    403      403   403   200   login login
POST   /devices/<device>/assign/                                     login    403      403   403   200   login login
GET    /devices/<device>/unassign/                                   login    403      403   403   200   login login
POST   /devices/<device>/unassign/                                   login    403      403   403   302   login login
GET    /devices/<device>/allow-handshake/                            login    403      403   403   200   login login
POST   /devices/<device>/allow-handshake/                            login    403      403   403   200   login login
GET    /devices/<device>/rotate/                                     login    403      403   403   200   login login
POST   /devices/<device>/rotate/                                     login    403      403   403   302   login login
GET    /devices/<device>/redate/                                     login    403      403   403   200   login login
POST   /devices/<device>/redate/                                     login    403      403   403   302   login login
GET    /devices/<device>/archive/                                    login    403      403   403   200   login login
POST   /devices/<device>/archive/                                    login    403      403   403   302   login login
GET    /devices/<device>/restore/                                    login    403      403   403   200   login login
POST   /devices/<device>/restore/                                    login    403      403   403   302   login login
GET    /devices/<device>/quarantine/<quarantined>/discard/           login    403      403   403   200   login login
POST   /devices/<device>/quarantine/<quarantined>/discard/           login    403      403   403   302   login login
GET    /devices/<device>/quarantine/<quarantined>/accept/            login    403      403   403   200   login login
POST   /devices/<device>/quarantine/<quarantined>/accept/            login    403      403   403   200   login login
"""

_PRESS: Final = """
{"event_id": "n", "event": "treatment", "treatment": "BASIC", "counter": 9, "device_id": "<device>"}
"""
_SIGN_IN: Final = '{"username": "caller", "password": "a long walk to the well"}'
BODIES: Final = {
    "POST /api/devices/claim": '{"token": "<spare_token>"}',
    "POST /api/device-data/ingest": '{"kwh": 1}',
    "POST /api/devices/<device>/provision": '{"notes": "Line A"}',
    "POST /api/devices/": '{"name": "New"}',
    "PATCH /api/devices/<device>/": '{"notes": "x"}',
    "POST /api/devices/<device>/quarantine/<quarantined>/accept/": '{"event": {"counter": 6}}',
    "POST /api/devices/<device>/redate/": "{}",
    "POST /api/handshake/": '{"mac": "02:AA:00:00:00:01"}',
    "POST /api/device/events/": _PRESS,
    "POST /api/events/": _PRESS,
    "POST /api/iot/": '{"mode": "BASIC", "macaddr": "<spare_mac>", "count1": 1}',
    "POST /api/device/<device>/commands/<sent>/": '{"success": true}',
    "POST /api/device/<device>/commands/create/": '{"command_type": "GET_STATUS"}',
    "POST /api/commands/bulk/": '{"command_type": "GET_STATUS", "device_ids": ["<device>"]}',
    "POST /api/outlets/": '{"name": "New"}',
    "PUT /api/outlets/<outlet>/": '{"name": "New"}',
    "PATCH /api/outlets/<outlet>/": '{"name": "New"}',
    "POST /api/machines/": '{"name": "New", "outlet": <outlet>}',
    "POST /api/machines/register/": '{"device_id": "<spare>", "outlet_id": <outlet>}',
    "POST /api/machines/<machine>/device/": '{"device_id": "<spare>"}',
    "PUT /api/machines/<machine>/": '{"name": "New"}',
    "PATCH /api/machines/<machine>/": '{"name": "New"}',
    "POST /api/ledger/lines/<line>/settle/": '{"reason": "lost"}',
    "POST /api/prices/": '{"outlet": null, "treatment": "BASIC", "price": "5.00", "valid_from": "2026-01-01"}',
    "POST /api/shares/": '{"outlet": <outlet>, "percent": "30", "valid_from": "2026-01-01"}',
    "POST /api/channels/": '{"kind": "webhook", "target": "https://example.com/hook"}',
    "PATCH /api/channels/<channel>/": '{"name": "New"}',
    "POST /api/channels/<unverified>/verify/": '{"code": "x"}',
    "POST /api/incidents/<incident>/acknowledge/": '{"note": "on my way"}',
    "POST /api/incidents/<incident>/snooze/": '{"until": "2199-01-01T00:00:00Z"}',
    "POST /api/alert-rules/": '{"kind": "silent", "outlet": <outlet>, "seconds": 1800}',
    "POST /api/maintenance/": '{"outlet": <outlet>, "start": "2026-01-01T00:00:00Z", "weekly": "Su 02:00-04:00"}',
    "POST /api/auth/login/": _SIGN_IN,
    "POST /api/auth/token/": _SIGN_IN,
    "POST /api/admin/login/": _SIGN_IN,
    "POST /api/admin/refresh/": '{"refresh_token": "x"}',
    "POST /api/auth/register/": _SIGN_IN,
    "POST /api/internal/stations/data/": "{}",
    "POST /api/internal/stations/verify/": "{}",
}
"""What is sent; an integer id of the owner's is a name without quotes."""


class Row(NamedTuple):
    """One line. `path` with its `<names>`; `expected` by caller; `body` as it is sent, "" for none."""

    method: str
    path: str
    expected: dict[str, str]
    body: str

    @property
    def comes_with_token(self) -> bool:
        return self.path.startswith(WITH_TOKEN)


def rows() -> list[Row]:
    """The table, line by line."""
    mounted = [SECTION_1.replace("{mount}", mount) for mount in ("gateway", "api")]
    tables = (*mounted, DEVICES, OZONE, MONEY, ALERTS, PEOPLE, STATIONS, PROJECT, PAGES, DEVICE_PAGE)
    return [row for table in tables for row in rows_of(table)]


def rows_of(table: str) -> list[Row]:
    return [_row(line) for line in table.splitlines() if line and not line.startswith("#")]


def _row(line: str) -> Row:
    method, path, *expected = line.split()
    body = BODIES.get(f"{method} {path.replace('/gateway/', '/api/')}", "")
    return Row(method, path, dict(zip(CALLERS, expected, strict=True)), body)
