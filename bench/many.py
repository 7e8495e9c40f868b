"""`python -m bench.many COUNT`: migrate the PostgreSQL of DATABASE_URL and register a large fleet in it, of which every
tenth device is a machine's at an outlet, and all were heard within the last hour.

Made inside the database by its own SQL: a client would take longer to send a million devices than to measure them.
"""

import os
import sys
from typing import Any

import django
from django.core.management import call_command

MACHINES = 10
"""Every so manieth device is one."""
AN_OUTLET = 50
"""Machines at each."""

_HEARD = "now() - interval '1 hour' * (n::bigint * 7919 %% %(count)s / %(count)s::float)"
"""Not in the order of their numbers."""
_NUMBERED = "convert_to('{} ' || chr(47 + length(n::text)) || n, 'UTF8')"
"""As `ozone.wire.folding.order_key` has it."""
_KEY = "rpad('bench' || lpad(n::text, greatest(6, length(n::text)), '0'), 43, 'k')"
"""As `bench.load.device_key` has it."""
_READING = """jsonb_build_object('voltage', 228 + n %% 97 / 10.0, 'current', n %% 50 / 10.0, 'power_factor', 0.97,
  'kwh', 1000 + n / 10.0, 'rssi', -40 - n %% 50)"""
_ALL = "FROM generate_series(0, %(count)s - 1) AS n"
_OF_MACHINES = f"FROM generate_series(0, %(count)s - 1, {MACHINES}) AS n"
_OUTLET = f"%(outlet)s + n / {MACHINES * AN_OUTLET}"

_STATEMENTS = (
    f"""INSERT INTO device_gateway_device (id, name, device_id, assigned, location, firmware, notes, provisional,
          created_at, encryption, data_key, name_folded, name_order, device_id_order, location_order)
        SELECT n + 1, 'Meter ' || n, 'bench-' || n, true, '', '', '', false, now(), '', '', 'meter ' || n,
          {_NUMBERED.format("meter")}, convert_to('bench-' || chr(47 + length(n::text)) || n, 'UTF8'), '' {_ALL}""",
    f"""INSERT INTO device_gateway_devicename (name, device_id, since, name_folded)
        SELECT 'bench-' || n, n + 1, now(), 'bench-' || n {_ALL}""",
    f"""INSERT INTO device_gateway_devicestate (device_id, last_seen, last_poll, latest_occurred_at, latest_received_at,
          latest_payload)
        SELECT n + 1, at, CASE WHEN is_machine THEN at END, CASE WHEN NOT is_machine THEN at END,
          CASE WHEN NOT is_machine THEN at END, CASE WHEN NOT is_machine THEN {_READING} END
        FROM (SELECT n, {_HEARD} AS at, n %% {MACHINES} = 0 AS is_machine {_ALL}) AS heard""",
    f"""INSERT INTO device_gateway_credential (device_id, hash, prefix, source, created_at, last_used_at)
        SELECT n + 1, encode(sha256(convert_to({_KEY}, 'UTF8')), 'hex'), left({_KEY}, 8), 'admin', now(), now()
        {_ALL}""",
    f"""INSERT INTO telemetry_machine (id, name, outlet_id, device_id, is_active, name_folded, name_order)
        SELECT n / {MACHINES} + 1, 'Machine ' || n, {_OUTLET}, n + 1, true, 'machine ' || n,
          {_NUMBERED.format("machine")} {_OF_MACHINES}""",
    f"""INSERT INTO telemetry_machinedevice (machine_id, device_id, outlet_id, assigned_date, is_active)
        SELECT n / {MACHINES} + 1, n + 1, {_OUTLET}, now() - interval '30 days', true {_OF_MACHINES}""",
    f"""INSERT INTO telemetry_devicestatus (device_id, touched, touched_from)
        SELECT n + 1, 1, {_HEARD} {_OF_MACHINES}""",
    *(
        f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
        for table in ("device_gateway_device", "telemetry_machine")
    ),
)


def main() -> None:
    """Migrate, then create devices with names, states, keys, and of machines what they have."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    from django.db import connection

    from device_gateway.versions import RegistryVersion
    from telemetry.models import Outlet

    count = int(sys.argv[1])
    outlets = Outlet.objects.bulk_create(Outlet(name=f"Outlet {n}") for n in range(count // MACHINES // AN_OUTLET + 1))
    with connection.cursor() as cursor:
        for statement in _STATEMENTS:
            cursor.execute(statement, {"count": count, "outlet": outlets[0].pk})
        # As in any fleet: where nothing was ever told, the first change has every process load all keys anew.
        RegistryVersion.change_registry([])
        cursor.execute("VACUUM (ANALYZE)")
    _check()


def _check() -> None:
    """Raises RuntimeError where a column that follows a text is not as the product would write it."""
    from bench.load import device_key
    from device_gateway.models import Credential, Device, DeviceName
    from device_gateway.secret import hash_secret
    from ozone.intake.finding import following
    from telemetry.models import Machine

    models: list[Any] = [Device, DeviceName, Machine]
    for row in [model.objects.order_by("pk").last() for model in models]:
        for field in following(type(row)):
            found, wanted = getattr(row, field.attname), field.of(getattr(row, field.source))
            if (bytes(found) if isinstance(wanted, bytes) else found) != wanted:
                raise RuntimeError(f"{field}: {found!r} instead of {wanted!r}")
    last = Device.objects.latest("pk")
    if not Credential.objects.filter(device=last, hash=hash_secret(device_key(last.pk - 1))).exists():
        raise RuntimeError("the keys are others")


if __name__ == "__main__":
    main()
