# A machine on MicroPython, told what to do on stdin, as clients/core/host/machine.c:
# machine.py CLIENT FOLDER URL MAC [nodate] [ca FILE]
import sys

sys.path.insert(0, sys.argv[1])
import select

from ozone import Ozone

NAMES = {"B": "BASIC", "S": "STANDARD", "P": "PREMIUM"}
folder, url, mac = sys.argv[2:5]
more = {}
if "nodate" in sys.argv:
    more["utc"] = lambda: 0
if "ca" in sys.argv:
    with open(sys.argv[sys.argv.index("ca") + 1]) as file:
        more["ca"] = file.read()


def update(payload):
    return True, "settings " + str(payload.get("a"))


machine = Ozone(
    url, folder, mac=mac, firmware="mpy-1", poll_ms=500, hello_ms=1000, handlers={"UPDATE_SETTINGS": update}, **more
)
poller = select.poll()
poller.register(sys.stdin, select.POLLIN)
while True:
    if poller.poll(2):
        words = sys.stdin.readline().split()
        if not words:
            break
        if words[0] == "state":
            print(f"state {machine.state} queued {machine.queued} refused {machine.refused} why {machine.why}")
        else:
            try:
                machine.press(NAMES[words[1]], int(words[2]))
                print("promised", words[2])
            except (OSError, ValueError) as problem:
                print("refused", repr(problem))
    machine.tick(20)
