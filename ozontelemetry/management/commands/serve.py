"""From any state of the database to a serving system: checks, migrations, first operator, then the server."""

import gc
import glob
import os
import secrets
import socket
import stat
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from moving.across.state import is_unfinished
from ozone.wire.address import is_loopback
from ozontelemetry.checks import sound_or_exit
from ozontelemetry.environment import env
from ozontelemetry.management.commands.migrate import alone
from ozontelemetry.passwords import KNOWN, with_known_password
from ozontelemetry.server import WORKERS, become_server


class Command(BaseCommand):
    help = "Migrate, make the first operator account, serve (HOST, PORT, WORKERS from the environment or .env)."
    requires_system_checks = "__all__"

    def add_arguments(self, parser: CommandParser) -> None:
        # Read by settings.py before this command is known.
        parser.add_argument("--development", action="store_true", help="Development, unless DJANGO_DEBUG=0 is set.")

    def handle(self, *args: Any, **options: Any) -> None:
        gc.enable()
        sound_or_exit()
        host = env.str("HOST", default="127.0.0.1")
        port = env.int("PORT", default=8000)
        workers = env.int("WORKERS", default=WORKERS[connection.vendor])
        _must_be_free(host, port)
        on_loopback = host == "localhost" or is_loopback(host)
        with alone(connection):
            _must_be_whole()
            _migrate()
            self.keep_files_private()
            self.first_operator(on_loopback=on_loopback)
        if not on_loopback and (known := list(with_known_password())):
            # Only in development: in production a check has refused this before.
            host = "127.0.0.1"
            sentences = " ".join(message.msg for message in known)
            self.stderr.write(f"Serving this machine only, at {host}. {sentences}")
            _must_be_free(host, port)
        self.what_next(host, port)
        os.environ["DJANGO_DEBUG"] = "1" if settings.DEBUG else "0"
        connection.close()
        sys.stdout.flush()
        become_server(host=host, port=port, workers=workers)

    def keep_files_private(self) -> None:
        """Files of a release that left their mode to the shell's umask: the database, its copies, the log."""
        database = str(connection.settings_dict["NAME"]) if connection.vendor == "sqlite" else ""
        for name in filter(None, (database, settings.LOG_FILE)):
            for path in Path(name).parent.glob(f"{glob.escape(Path(name).name)}*"):
                mode = stat.S_IMODE(path.stat().st_mode)
                if not path.is_file() or not mode & 0o077:
                    continue
                try:
                    path.chmod(mode & 0o700)
                except OSError as error:
                    self.stderr.write(f"{path} can be read by others: {error.strerror}.")

    def first_operator(self, *, on_loopback: bool) -> None:
        """An account to sign in with, on a database that has none."""
        accounts = get_user_model()._default_manager
        if accounts.filter(is_superuser=True).exists():
            return
        username = env.str("DJANGO_SUPERUSER_USERNAME", default="admin")
        email = env.str("DJANGO_SUPERUSER_EMAIL", default="admin@example.com")
        password = env.str("DJANGO_SUPERUSER_PASSWORD", default="")
        shown = "the password of DJANGO_SUPERUSER_PASSWORD"
        if password == KNOWN and not (settings.DEBUG and on_loopback):
            raise CommandError("DJANGO_SUPERUSER_PASSWORD is the password that everybody knows. Set another one.")
        if not password and settings.DEBUG and on_loopback:
            password = shown = KNOWN  # the seeds show it
        elif not password:
            password = shown = secrets.token_urlsafe(12)
        accounts.create_superuser(username=username, email=email, password=password)
        self.stdout.write(f"First operator account: {username} / {shown}")

    def what_next(self, host: str, port: int) -> None:
        base = f"http://{'localhost' if host in ('0.0.0.0', '::', '127.0.0.1') else host}:{port}"  # noqa: S104
        python = os.path.relpath(sys.executable)
        mode = "development" if settings.DEBUG else "production"
        if not settings.DEBUG:
            self.stdout.write(f"Ozone Telemetry, {mode}, {connection.vendor}: {host}:{port}")
            return
        self.stdout.write(
            f"Ozone Telemetry, {mode}, {connection.vendor}: {base}\n"
            f"  sign in         {base}/login/\n"
            f"  add a device    {base}/device-add/\n"
            f"  issue a token   {base}/gateway/device-tokens\n"
            f"  API and schema  {base}/api/docs/\n"
            f"  try a fleet     {python} manage.py simulate meters --devices 10 --rate 5 --seconds 10\n"
            "Ctrl-C stops it; what was accepted is answered first."
        )


def _must_be_free(host: str, port: int) -> None:
    """The server's processes share their port, so a second server would be given it too, and half of the requests.

    Raises CommandError.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise CommandError(f"Cannot listen on {host}:{port} ({error.strerror}). Set another HOST or PORT.") from None


def _must_be_whole() -> None:
    """Half of a database would answer 401 to the devices that it does not have yet, and meters erase their keys then.

    Raises CommandError.
    """
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        if is_unfinished(cursor):
            raise CommandError("This database is being moved into: let `manage.py move` come to its end first.")


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)
