"""A machine on the Python client, told what to do on stdin, as clients/core/host/machine.c: CLIENT FOLDER URL MAC."""

import sys

sys.path.insert(0, sys.argv[1])
from ozone_telemetry_client import Device, Queue, QueueFailed, Settings, State

NAMES = {"B": "BASIC", "S": "STANDARD", "P": "PREMIUM"}
NUMBERS = list(State)
folder, url, mac = sys.argv[2:5]
with Device(url, Queue(f"{folder}/queue.sqlite3"), Settings(mac=mac, poll_seconds=0.5, hello_seconds=0.5)) as device:
    for line in sys.stdin:
        words = line.split()
        if words[0] == "state":
            print(f"state {NUMBERS.index(device.state)} queued {len(device.queue)} why {device.why}", flush=True)
            continue
        try:
            device.press(NAMES[words[1]], int(words[2]))
            print("promised", words[2], flush=True)
        except QueueFailed as problem:
            print("refused", problem, flush=True)
