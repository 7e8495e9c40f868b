"""`python manage.py station_sign payload.json`: the headers of a message, and a curl that sends it."""

import shlex
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ozone.wire.conf import options
from stations.partner.signing import sign

PATH = "/api/internal/stations/data"


class Command(BaseCommand):
    help = "Signs the bytes of a file as a station's message: prints the headers and a curl. '-' reads standard input."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("payload", help="a file with the body, signed byte for byte as it is")
        parser.add_argument("--url", default="http://127.0.0.1:8000", help="the server (http://127.0.0.1:8000)")
        parser.add_argument("--timestamp", help="Unix seconds (now)")
        parser.add_argument("--verify", action="store_true", help="for stations/verify, which applies nothing")

    def handle(self, *args: Any, **given: Any) -> None:
        secret = options().IOT_SYSTEM_SIGNATURE_SECRET
        if not secret:
            raise CommandError("Set IOT_SYSTEM_SIGNATURE_SECRET, in the environment or in .env.")
        name = given["payload"]
        try:
            body = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.") from error
        timestamp = given["timestamp"] or str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Timestamp": timestamp,
            "X-Signature": sign(secret, body, timestamp),
        }
        path = PATH.replace("/data", "/verify") if given["verify"] else PATH
        lines = [f"curl -X POST {shlex.quote(given['url'].rstrip('/') + path)}"]
        lines.append("-H 'Authorization: Bearer '\"$ACCESS_TOKEN\"")
        lines += [f"-H {shlex.quote(f'{header}: {value}')}" for header, value in headers.items()]
        # --data-binary: plain -d would drop line ends, and with them the signature.
        lines.append(f"--data-binary {shlex.quote('@' + name)}")
        for header, value in headers.items():
            self.stdout.write(f"{header}: {value}")
        self.stdout.write(f"\n# {len(body)} bytes; good for {options().IOT_SYSTEM_SIGNATURE_TIMEOUT} seconds")
        self.stdout.write(" \\\n     ".join(lines))
