"""A body for every operation that takes one, as the seeds' clients send it: the API reference and Postman show them."""

from typing import Any, Final

from telemetry.commands.types import GET_STATUS

_PRESS: Final = {
    "device_id": "esp32-001",
    "firmware": "1.0.0",
    "event_id": "esp32-001-0000000123",
    "event": "treatment",
    "treatment": "BASIC",
    "counter": 124,
    "ts": "2025-09-16T12:34:56Z",
}
_COMMAND: Final = {"command_type": GET_STATUS.name, "priority": "normal", "payload": {}, "description": "Is it well?"}
_STATION: Final = {
    "type": "full",
    "timestamp": 1761575400,
    "device": {"serial_number": "864601069946994", "status": "ONLINE", "last_heartbeat": "2025-10-27T14:30:00Z"},
    "station": {"total_slots": 1},
    "slots": [
        {"slot_number": 1, "status": "OCCUPIED", "battery_level": 85, "power_bank_serial": "PB-0001"},
    ],
    "power_banks": [{"serial_number": "PB-0001", "status": "AVAILABLE", "battery_level": 85, "current_slot": 1}],
}
_OUTLET: Final = {"name": "Chai Chee", "region": "East", "address": "750 Chai Chee Road", "contact_person": "Mei"}
_MACHINE: Final = {"name": "CH1/027/2024", "outlet": 1, "is_active": True}

EXAMPLES: Final[dict[str, Any]] = {
    "POST /api/admin/login": {"email": "admin@example.com", "password": "password"},
    "POST /api/admin/refresh": {"refresh_token": "<refresh-token>"},
    "POST /api/ledger/lines/{number}/settle": {"reason": "counted", "count": 2, "note": "By the till's roll"},
    "POST /api/alert-rules": {"kind": "silent", "outlet": 1, "seconds": 1800},
    "POST /api/incidents/{number}/acknowledge": {"note": "Mei is on her way"},
    "POST /api/incidents/{number}/snooze": {"until": "2026-12-01T08:00:00Z"},
    "POST /api/maintenance": {"outlet": 1, "start": "2026-12-01T00:00:00Z", "weekly": "Su 02:00-04:00"},
    "POST /api/prices": {"outlet": None, "treatment": "BASIC", "price": "12.50", "valid_from": "2026-01-01"},
    "POST /api/shares": {"outlet": 1, "percent": "30", "valid_from": "2026-01-01"},
    "POST /api/channels": {"kind": "webhook", "target": "https://example.com/hook", "name": "Till"},
    "PATCH /api/channels/{number}": {"quiet_from": "22:00", "quiet_until": "07:00"},
    "POST /api/channels/{number}/verify": {"code": "12345678"},
    "POST /api/auth/login": {"username": "admin", "password": "password"},
    "POST /api/auth/token": {"username": "admin", "password": "password"},
    "POST /api/auth/register": {
        "username": "newuser",
        "password": "password123",
        "email": "user@example.com",
        "first_name": "John",
        "last_name": "Doe",
    },
    "POST /api/devices/claim": {"token": "<one-time-token>", "device_metadata": {"fw": "1.0.0"}},
    "POST /api/device-data/ingest": {"voltage": 228.4, "current": 3.2, "power_factor": 0.97, "kwh": 1234.5},
    "POST /api/devices/{name}/provision": {"notes": "Line A ESP32"},
    "POST /api/devices": {"name": "Factory Meter 1", "location": "Line A"},
    "PATCH /api/devices/{name}": {"device_id": "esp32-001", "location": "Line A"},
    "POST /api/devices/{name}/quarantine/{number}/accept": {"event": {"counter": 124}},
    "POST /api/devices/{name}/redate": {"until": "2025-09-16T12:34:56Z"},
    "POST /api/handshake": {"mac": "EC:E3:34:46:2B:C0", "firmware": "1.0.0"},
    "POST /api/device/events": _PRESS,
    "POST /api/events": _PRESS,
    "POST /api/iot": {
        "mode": "BASIC",
        "macaddr": "EC:E3:34:46:2B:C0",
        "type1": 5,
        "type2": 10,
        "type3": 15,
        "count1": 124,
        "count2": 31,
        "count3": 7,
        "timestamp": "2024-01-15 14:30:25",
    },
    "POST /api/device/{device_id}/commands/{command_id}": {
        "success": True,
        "message": "Done",
        "current_counters": {"basic": 124, "standard": 31, "premium": 7},
    },
    "POST /api/device/{device_id}/commands/create": _COMMAND,
    "POST /api/commands/bulk": {**_COMMAND, "device_ids": ["esp32-001", "esp32-002"]},
    "POST /api/outlets": _OUTLET,
    "PUT /api/outlets/{number}": _OUTLET,
    "PATCH /api/outlets/{number}": {"contact_person": "Mei"},
    "POST /api/machines": _MACHINE,
    "PUT /api/machines/{number}": _MACHINE,
    "PATCH /api/machines/{number}": {"outlet": 1},
    "POST /api/machines/register": {"device_id": "esp32-001", "outlet_id": 1, "name": "Machine A"},
    "POST /api/machines/{number}/device": {"device_id": "esp32-002", "keep": {"pending_commands": True}},
    "POST /api/internal/stations/data": _STATION,
    "POST /api/internal/stations/verify": _STATION,
}
"""By method and path; `/gateway/…` has those of `/api/…`."""
