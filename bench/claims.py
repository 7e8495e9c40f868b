"""Claims a second, by one application node and by two on the same database; `python -m bench.claims COUNT` makes as
many devices, each with a provisioning token, in the database of DATABASE_URL."""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import django
from django.core.management import call_command

from bench import servers
from bench.load import REPORT, Load, run_wrk

TOKENS = 20_000
CONNECTIONS = 64
_SCRIPT = """
local position = %(first)d
function request()
  position = position + 1
  local body = string.format('{"token": "claim%%08d", "device_metadata": {"fw": "1.0.0"}}', position)
  return wrk.format("POST", "/api/devices/claim", {["Content-Type"] = "application/json"}, body)
end
"""


def token(number: int) -> str:
    return f"claim{number:08d}"


def measure(copy: Callable[[], AbstractContextManager[str]], folder: Path, seconds: float) -> dict[str, Any]:
    """A figure: `rate` of one node, `rate_of_two`, their quotient `gain`. `copy` gives a database with the tokens."""
    loads: list[list[Load]] = []
    for nodes in (1, 2):
        with copy() as url, ExitStack() as stack:
            ports = [stack.enter_context(servers.product(url, WORKERS="1")).port for _ in range(nodes)]
            scripts = [folder / f"claims{number}.lua" for number in range(nodes)]
            for number, script in enumerate(scripts):
                script.write_text(_SCRIPT % {"first": number * TOKENS // 2} + REPORT)
            with ThreadPoolExecutor(nodes) as threads:
                running = [
                    threads.submit(run_wrk, script, port, connections=CONNECTIONS // nodes, seconds=seconds)
                    for script, port in zip(scripts, ports, strict=True)
                ]
                loads.append([run.result() for run in running])
    one, two = (sum(load.rate for load in some) for some in loads)
    problems = [f"{count} x {name}" for some in loads for load in some for name, count in load.errors.items() if count]
    p99 = loads[0][0].p99_ms
    return {"rate": one, "p99_ms": p99, "rate_of_two": two, "gain": two / one, "problems": problems}


def main() -> None:
    """Migrate, then create devices with their names, states and tokens."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ozontelemetry.settings")
    django.setup()
    call_command("migrate", verbosity=0)
    from device_gateway.models import Device, DeviceName, DeviceState, ProvisioningToken
    from device_gateway.secret import PREFIX_LENGTH, hash_secret

    numbers = range(1, int(sys.argv[1]) + 1)
    devices = Device.objects.bulk_create(Device(name=f"Meter {n}", device_id=f"claims-{n}") for n in numbers)
    DeviceName.objects.bulk_create(DeviceName(name=str(device.device_id), device=device) for device in devices)
    DeviceState.objects.bulk_create(DeviceState(device=device) for device in devices)
    ProvisioningToken.objects.bulk_create(
        ProvisioningToken(device=device, token_hash=hash_secret(token(n)), prefix=token(n)[:PREFIX_LENGTH])
        for n, device in zip(numbers, devices, strict=True)
    )


if __name__ == "__main__":
    main()
