"""`make lint`: known vulnerabilities among what the lock files name, where the registry tells of them.

pip-audit asks the registry that pip is set to; a mirror without that knowledge, or no network, is skipped, loudly: its
"nothing found" would be worth nothing. pip-audit runs in an environment of its own, so nothing of it stands in a lock.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
LOCKS: Final = ("requirements.txt", "requirements-dev.txt")
TOOL: Final = "pip-audit==2.10.1"
SECONDS: Final = 180.0


def main() -> int:
    """The exit code: 1 where something is known to be vulnerable."""
    runner = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    worst = 0
    for lock in LOCKS:
        code, sentence = verdict(lock, _ask(runner, lock))
        worst = max(worst, code)
        print(sentence, flush=True)
    return worst


def _ask(runner: str, lock: str) -> "dict[str, Any] | str":
    """What pip-audit says, or why it says nothing."""
    audit = ["--requirement", str(ROOT / lock), "--disable-pip", "--require-hashes"]
    form = ["--format", "json", "--progress-spinner", "off", "--timeout", "10"]
    try:
        done = subprocess.run(
            [runner, "tool", "run", "--quiet", TOOL, *audit, *form],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired) as error:
        return type(error).__name__
    except ValueError:
        return (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
    return found


def verdict(lock: str, answer: "dict[str, Any] | str") -> tuple[int, str]:
    """Exit code and sentence for pip-audit's answer about one lock file."""
    if isinstance(answer, str):
        return 0, f"SKIPPED: {lock} was not audited: {answer}"
    packages = answer["dependencies"]
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if len(unknown) == len(packages):
        return 0, f"SKIPPED: {lock} was not audited: the registry knows of none of its {len(packages)} packages"
    bad = [
        f"{package['name']} {package['version']}: {', '.join(each['id'] for each in package['vulns'])}"
        for package in packages
        if package.get("vulns")
    ]
    if bad:
        return 1, f"{lock}: known vulnerabilities\n  " + "\n  ".join(bad)
    left = f"; SKIPPED, unknown to the registry: {', '.join(unknown)}" if unknown else ""
    return 0, f"{lock}: no known vulnerabilities in {len(packages) - len(unknown)} packages{left}"


if __name__ == "__main__":
    sys.exit(main())
