"""Messages by Telegram, ntfy, Slack and others: by `apprise`, in a process of its own.

That process may connect where a webhook may, opens no file of this machine's and starts no program, whatever an address
asks for, and it is killed when its time is over, or ends when we do: a service that hangs holds up nobody.
"""

import json
import logging
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from typing import Any, Final

from alerts.carriers.outgoing import Outcome, Outgoing
from ozone.wire.conf import options
from ozone.wire.errors import Unavailable

logger = logging.getLogger("alerts")

SECONDS: Final = 20.0
"""Of which the process takes one or two to begin."""
_looking: Final = threading.Lock()


def is_installed() -> bool:
    return find_spec("apprise") is not None


def send(message: Outgoing) -> Outcome:
    asked = {"do": "send", "url": message.secret.decode(), "title": message.subject, "text": message.text}
    try:
        told = _ask(asked)
    except subprocess.TimeoutExpired:
        return Outcome(False, error=f"It did not answer within {SECONDS:.0f} s.", is_unknown=True)
    except (OSError, ValueError):
        return Outcome(False, error="apprise could not be run: the server's log may say why.")
    return Outcome(True) if told.get("ok") else Outcome(False, error=str(told.get("error", ""))[:300])


def examined(url: str) -> dict[str, Any]:
    """`{"ok": true, "shown": the address without its secrets}`, or `{"ok": false, "error"}`.

    One at a time: of the threads that answer people no more than one waits here. Raises Unavailable to others.
    """
    if not _looking.acquire(blocking=False):
        raise Unavailable("Another address is being looked at. Try again.")
    try:
        return _ask({"do": "look", "url": url})
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return {"ok": False, "error": "This address could not be looked at now. Try again."}
    finally:
        _looking.release()


def _ask(asked: dict[str, Any]) -> dict[str, Any]:
    """Raises OSError, ValueError, subprocess.TimeoutExpired."""
    asked |= {"networks": list(options().WEBHOOK_ALLOWED_NETWORKS), "parent": os.getpid()}
    # Nothing of our environment: no secret of the server, no proxy that would connect in our place.
    environment = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PATH": os.defpath}
    done = subprocess.run(
        [sys.executable, "-P", "-B", "-m", "alerts.carriers.chat_process"],
        input=json.dumps(asked).encode(),
        capture_output=True,
        env=environment,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        # The exception's name alone: its words may have the address in them, and that is a secret.
        lines = done.stderr.decode(errors="replace").strip().splitlines() or [""]
        logger.warning("apprise ended with %d: %s", done.returncode, lines[-1].partition(":")[0][:100])
    told: dict[str, Any] = json.loads(done.stdout)
    return told
