"""`make test`: the whole suite on SQLite, then everything that writes data on PostgreSQL.

With CI=true a missing part is a failure; elsewhere it is installed when we are root, else skipped and said so.
"""

import os
import subprocess
import sys

from tests.support import needs

WRITES_DATA = ["device_gateway", "moving", "ozone", "pages", "stations", "telemetry", "tests"]


def main() -> int:
    """The exit code of the first run that failed, else 0."""
    arguments = sys.argv[1:]
    needs.chromium()
    needs.javac()
    needs.curl()
    needs.nginx()
    needs.systemd_analyze()
    failed = _pytest(arguments, {})
    if failed:
        return failed
    if not needs.postgresql():
        return 0
    from bench.postgres import private_postgres

    with private_postgres() as url:
        print(f"\n— the same on PostgreSQL: {', '.join(WRITES_DATA)} —", flush=True)
        return _pytest([*arguments, "-m", "not browser and not sqlite_only", *WRITES_DATA], {"DATABASE_URL": str(url)})


def _pytest(arguments: list[str], environment: dict[str, str]) -> int:
    command = [sys.executable, "-m", "pytest", "-q", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
