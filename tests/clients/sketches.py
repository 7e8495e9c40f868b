"""Sketches of the Arduino library, built for this computer by Debian's arduino-builder, and run.

The library is the one that `make arduino` packs; String, Stream and Client are Arduino's own; the board's flash is a
folder, its pins are told on standard input, its serial line is standard output. All under the sanitizers.
"""

import os
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.clients.devices import MAC, SECONDS
from tests.support import needs
from tests.support.server import ROOT

BOARD = Path(__file__).with_name("arduino")
CLASSES = ("WString.cpp", "Print.cpp", "Stream.cpp", "IPAddress.cpp")
HEADERS = ("WString.h", "Print.h", "Stream.h", "IPAddress.h", "Client.h", "Printable.h", "Server.h")
EDITS = {
    r"bool USE_TLS = true": 'bool USE_TLS = getenv("SERVER_CA_PEM")',
    r'API_HOST = "[^"]*"': 'API_HOST = "localhost"',
    r"API_PORT = 443": 'API_PORT = static_cast<uint16_t>(atoi(getenv("API_PORT")))',
    r'SERVER_CA_PEM = "".*': 'SERVER_CA_PEM = getenv("SERVER_CA_PEM") ? getenv("SERVER_CA_PEM") : "";',
}
"""What somebody fills in; here it is told when the sketch runs, for a build takes seconds."""


class Builder:
    """Builds in `folder`, the board's classes and the library once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        core = folder / "hardware/host/host/cores/host"
        shutil.copytree(BOARD / "core", core)
        classes = needs.arduino()
        assert classes is not None
        for name in (*CLASSES, *HEADERS):
            shutil.copy(classes / name, core)
        for name in ("boards.txt", "platform.txt"):
            shutil.copy(BOARD / name, core.parent.parent)
        shutil.copytree(BOARD / "libraries", core.parent.parent / "libraries")
        make = ["make", "-s", "arduino", f"ARDUINO={folder / 'libraries'}", f"PYTHON={sys.executable}"]
        subprocess.run(make, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)

    def build(self, name: str, edits: dict[str, str]) -> Path:
        """An example of the library, with `edits` (patterns and what stands there instead) in it."""
        example = self._folder / "libraries/OzoneTelemetry/examples" / name / f"{name}.ino"
        text = example.read_text()
        for pattern, instead in (EDITS | edits).items():
            text, count = re.subn(pattern, instead.replace("\\", r"\\"), text)
            assert count == 1, f"{pattern} stands {count} times in {name}"
        # All examples are one sketch, one after another: what they share is compiled once.
        sketch, out = self._folder / "sketch" / "sketch.ino", self._folder / "build"
        sketch.parent.mkdir(exist_ok=True)
        out.mkdir(exist_ok=True)
        sketch.write_text(text)
        command = ["arduino-builder", "-compile", "-quiet", "-tools", "/usr/bin", "-fqbn", "host:host:host"]
        for option, path in (
            ("-hardware", self._folder / "hardware"),
            ("-hardware", Path("/usr/share/arduino-builder")),
            ("-libraries", self._folder / "libraries"),
            ("-build-path", out),
        ):
            command += [option, str(path)]
        done = subprocess.run([*command, str(sketch)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        ours = [line for line in done.stderr.splitlines() if "warning:" in line and "cores/host/WString" not in line]
        assert ours == []
        program = self._folder / f"{name}.elf"
        shutil.copy(out / "sketch.ino.elf", program)
        return program


class Sketch:
    """A board that runs `program` until it is killed; its flash stays."""

    def __init__(self, program: Path, flash: Path, port: int, ca: Path | None = None, mac: str = MAC) -> None:
        flash.mkdir(exist_ok=True)
        self.environment = {**os.environ, "HOST_FLASH": str(flash), "HOST_MAC": mac, "API_PORT": str(port)}
        if ca is not None:
            self.environment["SERVER_CA_PEM"] = ca.read_text()
        self._program = program
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(
            [self._program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=self.environment
        )
        self._said = b""

    def waits_for(self, pattern: str, seconds: float = SECONDS) -> str:
        """The first line from now on in which `pattern` is found."""
        assert self.process.stdout is not None
        end = time.monotonic() + seconds
        while True:
            line, found, rest = self._said.partition(b"\n")
            if found:
                self._said = rest
                if re.search(pattern, line.decode()):
                    return line.decode()
            elif select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                said = os.read(self.process.stdout.fileno(), 65536)
                assert said, f"the sketch ended before it said {pattern}"
                self._said += said
            else:
                raise AssertionError(f"it did not say {pattern}")

    def touch(self, pin: int) -> None:
        """Presses and lets go."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"pin {pin} 0\npin {pin} 1\n".encode())

    def press(self, pin: int) -> int:
        """The counter that is promised."""
        self.touch(pin)
        return int(self.waits_for("promised").split()[2])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
