"""The core of clients/core as a library of this computer: the firmware itself, in place of its imitation."""

from __future__ import annotations

import ctypes
import hashlib
import shutil
import subprocess
from ctypes import CFUNCTYPE, POINTER, c_bool, c_char_p, c_int, c_int32, c_uint8, c_uint16, c_uint32, c_void_p
from functools import cache
from pathlib import Path

from simulators.staff import SimulationError

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "clients" / "core"
BUFFER = 2048
"""Bytes of the longest request: OZ_BUFFER."""

Obey = CFUNCTYPE(c_bool, c_char_p)
"""Carries out a command by its type; whether that went well."""

_Three = c_uint32 * 3


@cache
def library() -> ctypes.CDLL:
    """Compiled when its sources have changed. Raises SimulationError where that cannot be done."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    sources = [*sorted((CORE / "src").glob("*.c")), CORE / "host" / "fleet.c"]
    if compiler is None or not sources[-1].exists():
        raise SimulationError("The core needs a C compiler and the folder clients/core: apt-get install gcc libc6-dev.")
    headers = [*sorted(CORE.glob("include/*.h")), *sorted(CORE.glob("src/*.h"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (*sources, *headers))).hexdigest()
    built = ROOT / "build" / "simulators" / f"core-{digest[:16]}.so"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        part = built.with_suffix(".part")
        command = [compiler, "-std=c99", "-O2", "-shared", "-fPIC", "-o", str(part), *map(str, sources)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        if done.returncode:
            raise SimulationError(f"The core could not be compiled: {done.stderr[-500:]}")
        part.rename(built)
    functions = ctypes.CDLL(str(built))
    for name, result, arguments in (
        ("new", c_void_p, (c_char_p, c_uint16, c_char_p, c_char_p, c_uint32, c_uint32, Obey, c_uint32)),
        ("free", None, (c_void_p,)),
        ("begin", c_int, (c_void_p, c_uint32, c_uint32)),
        ("tick", None, (c_void_p, c_uint32, c_uint32, c_char_p, c_int32)),
        ("request", c_uint32, (c_void_p, c_char_p)),
        ("press", c_int, (c_void_p, c_int, c_uint32, POINTER(c_uint32), c_uint32, c_uint32)),
        ("count", None, (c_void_p, POINTER(c_uint32))),
        ("restarts", c_bool, (c_void_p,)),
        ("is_enrolled", c_bool, (c_void_p,)),
        ("why", c_char_p, (c_void_p,)),
        ("keys", None, (c_void_p, POINTER(c_uint32), POINTER(c_uint8))),
    ):
        function = getattr(functions, f"fleet_{name}")
        function.restype, function.argtypes = result, arguments
    return functions


class Core:
    """One device. `now`: its milliseconds, which may pass faster than ours; `utc`: seconds, 0 while it has no clock."""

    def __init__(
        self,
        server: tuple[str, int],
        mac: str,
        firmware: str,
        *,
        poll_ms: int,
        timeout_ms: int,
        obey: ctypes._FuncPointer,
        seed: int,
    ) -> None:
        self._library = library()
        self._obey = obey  # the library keeps its address only
        self._machine = self._library.fleet_new(
            server[0].encode(), server[1], mac.encode(), firmware.encode(), poll_ms, timeout_ms, obey, seed
        )
        if not self._machine:
            raise SimulationError("There is no memory for another machine.")

    def __del__(self) -> None:
        if machine := getattr(self, "_machine", None):
            self._library.fleet_free(machine)

    def begin(self, now: int, utc: int) -> None:
        """Power on: all but the flash is forgotten."""
        if self._library.fleet_begin(self._machine, now & 0xFFFFFFFF, utc):
            raise SimulationError("The core could not read its flash.")

    def tick(self, now: int, utc: int, reply: bytes | None = b"") -> None:
        """Let it work. `reply`: to its request; None: it gets none; empty: not yet."""
        said, length = (reply, len(reply)) if reply is not None else (b"", -1)
        self._library.fleet_tick(self._machine, now & 0xFFFFFFFF, utc, said, length)

    def request(self) -> bytes:
        """The request that waits for its reply; empty: none."""
        into = ctypes.create_string_buffer(BUFFER)
        length = self._library.fleet_request(self._machine, into)
        return into.raw[:length]

    def press(self, treatment: int, counter: int, counters: list[int] | None, now: int, utc: int) -> bool:
        """Whether it was taken."""
        told = _Three(*counters) if counters else None
        return not self._library.fleet_press(self._machine, treatment, counter, told, now & 0xFFFFFFFF, utc)

    def count(self, counters: list[int]) -> None:
        """The counters that results tell."""
        self._library.fleet_count(self._machine, _Three(*counters))

    @property
    def restarts(self) -> bool:
        """A command wants it to."""
        return bool(self._library.fleet_restarts(self._machine))

    @property
    def is_enrolled(self) -> bool:
        return bool(self._library.fleet_is_enrolled(self._machine))

    @property
    def why(self) -> str:
        return str(self._library.fleet_why(self._machine).decode())

    def keys(self) -> tuple[tuple[int, int], tuple[int, int], str]:
        """The newest press's key, that of the last one that is done with, and what all ids begin with."""
        keys, nonce = (c_uint32 * 4)(), (c_uint8 * 4)()
        self._library.fleet_keys(self._machine, keys, nonce)
        return (keys[0], keys[1]), (keys[2], keys[3]), bytes(nonce).hex()
