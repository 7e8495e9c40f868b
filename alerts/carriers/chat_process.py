"""The process that `chat` starts: reads one question as JSON from its standard input, answers as JSON, and ends.

What an address may make apprise do is bounded here, by the interpreter's own audit: connections to addresses that are
not allowed, files outside of Python's own, programs. So the rule is asked of the very address that is connected to.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any, Final

from django.conf import settings

ENDED: Final = ("os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "pty.spawn", "subprocess.Popen")


NICE: Final = 5
"""It lets the server go first."""
LOOK_SECONDS: Final = 0.5


class Refused(RuntimeError):
    """What the address asks for is not done."""


def main() -> None:
    os.nice(NICE)
    asked = json.load(sys.stdin)
    threading.Thread(target=_end_with, args=(asked["parent"],), daemon=True).start()
    settings.configure(WEBHOOK_ALLOWED_NETWORKS=tuple(asked["networks"]))
    # Afterwards: no module of ours is looked for any more.
    import apprise
    import requests

    from alerts.carriers.outward import may_reach

    heard: list[str] = []
    _hear(heard)
    # A redirect is an answer like any other that is no success.
    requests.sessions.SessionRedirectMixin.get_redirect_target = lambda *_: None  # type: ignore[method-assign]
    sys.addaudithook(guarding(may_reach))
    json.dump(_answer(apprise, asked, heard), sys.stdout)


def _end_with(parent: int) -> None:
    """Whoever asked was to end this when its time is over, and may have been killed."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


def _answer(apprise: Any, asked: dict[str, Any], heard: list[str]) -> dict[str, Any]:
    try:
        plugin = apprise.Apprise.instantiate(asked["url"], suppress_exceptions=True)
        if plugin is None:
            return {"ok": False, "error": "apprise cannot read this address."}
        if asked["do"] == "look":
            return {"ok": True, "shown": plugin.url(privacy=True)}
        is_sent = plugin.notify(body=asked["text"], title=asked["title"], body_format=apprise.NotifyFormat.TEXT)
        return {"ok": True} if is_sent else {"ok": False, "error": heard[-1] if heard else "The service refused it."}
    except Refused as error:
        return {"ok": False, "error": str(error)}


def _hear(heard: list[str]) -> None:
    """What was refused, in our words; apprise's own may have a secret in them."""
    global _heard
    _heard = heard.append


_heard: Callable[[str], None] = lambda _: None  # noqa: E731


def _refuse(sentence: str) -> None:
    _heard(sentence)
    raise Refused(sentence)


def guarding(may_reach: Callable[[Any], bool]) -> Callable[[str, tuple[Any, ...]], None]:
    """An audit hook. It cannot be taken away again: for a process that does nothing else."""
    own = tuple({os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path) if path})

    def guard(event: str, given: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto"):
            _check_address(given[1], may_reach)
        elif event in ("socket.bind",):
            _refuse("This service would listen here.")
        elif event in ENDED:
            _refuse("This service would start a program here.")
        elif event == "open" and isinstance(given[0], str | bytes):
            path = os.path.realpath(os.fsdecode(given[0]))
            if not path.startswith(own) and not path.startswith(("/etc/ssl/", "/usr/share/", "/dev/null")):
                _refuse("This service would open a file here.")

    return guard


def _check_address(address: Any, may_reach: Callable[[Any], bool]) -> None:
    host = address[0] if isinstance(address, tuple) else ""
    try:
        parsed = ip_address(str(host).partition("%")[0])
    except ValueError:
        _refuse("This service would connect to something that is no address.")
        return
    if not may_reach(parsed):
        _refuse(f"{host} is no public address, nor in WEBHOOK_ALLOWED_NETWORKS.")


if __name__ == "__main__":
    socket.setdefaulttimeout(10)
    main()
