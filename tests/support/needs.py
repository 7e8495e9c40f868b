"""The programs that tests need beside Python: found, or installed by apt when we are root.

Without them, and without root, the tests that need them are skipped, and the reason is printed. With CI=true
nothing may be skipped for a missing part.
"""

import functools
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from glob import glob
from itertools import chain
from pathlib import Path

POSTGRES = "postgresql"
ROOT = Path(__file__).resolve().parents[2]


def chromium() -> str | None:
    """The path of Chromium's headless shell, else of Chromium, or None.

    The whole one draws windows that nobody sees, for 2.5 times the processor.
    """
    shell = "chromium-headless-shell"
    return _find(shell, ()) or _program("chromium", "chromium", ("/usr/bin/chromium",))


def postgresql() -> str | None:
    """The path of PostgreSQL's `postgres`, or None."""
    return _program("postgres", POSTGRES, ("/usr/lib/postgresql/*/bin/postgres",))


def javac() -> str | None:
    """The path of a Java compiler, or None."""
    return _program("javac", "default-jdk-headless", ("/usr/lib/jvm/default-java/bin/javac",))


def curl() -> str | None:
    """The path of curl, or None."""
    return _program("curl", "curl", ())


def nginx() -> str | None:
    """The path of nginx, or None."""
    return _program("nginx", "nginx-light", ("/usr/sbin/nginx",))


def redis() -> str | None:
    """The path of redis-server, or None."""
    return _program("redis-server", "redis-server", ("/usr/bin/redis-server",))


def zbarimg() -> str | None:
    """The path of zbarimg, which reads codes in pictures, or None."""
    return _program("zbarimg", "zbar-tools", ())


def systemd_analyze() -> str | None:
    """The path of systemd-analyze, or None. Nothing of systemd needs to run."""
    return _program("systemd-analyze", "systemd", ())


def faketime() -> str | None:
    """The path of libfaketime for programs with threads, or None."""
    return _program("libfaketimeMT.so.1", "libfaketime", ("/usr/lib/*/faketime/libfaketimeMT.so.1",))


def gcc() -> str | None:
    """The path of a C compiler with its sanitizers, or None."""
    return _program("gcc", "gcc", ())


def riscv() -> str | None:
    """The path of a C compiler for chips, or None. Its C library has no program: it is installed with the compiler."""
    return _program("riscv64-unknown-elf-gcc", "gcc-riscv64-unknown-elf picolibc-riscv64-unknown-elf", ())


def lx106() -> str | None:
    """The path of a C compiler for the ESP8266, or None. Its C library has no program, either."""
    return _program("xtensa-lx106-elf-gcc", "gcc-xtensa-lx106 picolibc-xtensa-lx106-elf", ())


def mbedtls() -> str | None:
    """The path of a header of mbedTLS, or None."""
    return _program("gcm.h", "libmbedtls-dev", ("/usr/include/mbedtls/gcm.h",))


def clang() -> str | None:
    """The path of a C compiler with libFuzzer, or None."""
    return _program("clang-19", "clang-19 libclang-rt-19-dev", ())


def virtual_chip() -> str | None:
    """The path of qemu for such a chip, or None."""
    return _program("qemu-system-riscv32", "qemu-system-misc", ())


@functools.cache
def littlefs() -> Path | None:
    """The folder of littlefs's sources, with its emulator of a flash, from the registry; or None."""
    folder = ROOT / "build" / "littlefs"
    if not folder.is_dir():
        wanted = ROOT / "tests" / "clients" / "requirements-littlefs.txt"
        pip = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        source = ["--no-binary", "littlefs-python", "--require-hashes", "-r", str(wanted)]
        with tempfile.TemporaryDirectory() as into:
            subprocess.run([*pip, *source, "-d", into], check=False, stdout=subprocess.DEVNULL)
            for packed in Path(into).glob("*.tar.gz"):
                with tarfile.open(packed) as files:
                    sources = [member for member in files if member.name.endswith((".c", ".h"))]
                    files.extractall(folder, sources, filter="data")
    if found := next(folder.glob("*/littlefs/bd/lfs_emubd.c"), None):
        return found.parent.parent
    _missing("littlefs's sources are not here, and pip could not fetch them")
    return None


@functools.cache
def arduino() -> Path | None:
    """The folder of Arduino's own classes, with the builder of sketches, a C++ compiler and mbedTLS beside; or None.

    The classes are another's, and under another licence: they come from Debian, and only the package's files.
    """
    if not all(
        (_program("g++", "g++", ()), _program("arduino-builder", "arduino-builder arduino-ctags", ()), mbedtls())
    ):
        return None
    folder = ROOT / "build" / "arduino-core"
    core = folder / "usr/share/arduino/hardware/arduino/avr/cores/arduino"
    if not core.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "arduino-core-avr"]
        for command in (["true"], ["apt-get", "update", "-qq"]):  # it may be that nobody asked for the list yet
            subprocess.run(command, check=False, stdout=subprocess.DEVNULL)
            if not subprocess.run(download, cwd=folder, check=False, stdout=subprocess.DEVNULL).returncode:
                break
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(folder)], check=False)
    if core.is_dir():
        return core
    _missing("Arduino's classes are not here: apt-get download arduino-core-avr")
    return None


@functools.cache
def micropython(name: str = "micropython") -> str | None:
    """The path of MicroPython's interpreter, or its `mpy-cross`: in an environment of their own; or None."""
    folder = ROOT / "build" / "micropython"
    program = folder / "bin" / name
    if not program.exists():
        wanted = ROOT / "tests" / "clients" / "requirements-micropython.txt"
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run([sys.executable, "-m", "venv", str(folder)], check=False, stdout=subprocess.DEVNULL)
        if not done.returncode:
            subprocess.run([*pip, "--require-hashes", "-r", str(wanted)], check=False, stdout=subprocess.DEVNULL)
    if program.exists():
        return str(program)
    _missing(f"{name} is not here, and pip could not install it")
    return None


@functools.cache
def micropython_of_32_bits() -> list[str] | None:
    """The command of MicroPython built for 32 bits, as chips are, from Debian with the libraries it needs; or None.

    It is unpacked, not installed: this computer has another architecture, and its lists are none of our business.
    """
    folder = ROOT / "build" / "micropython-i386"
    program = folder / "root/usr/bin/micropython"
    if not program.exists() and shutil.which("apt-get"):
        for name in ("state/lists/partial", "cache/archives/partial", "etc/preferences.d", "root"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "state/status").touch()
        signed = "signed-by=/usr/share/keyrings/debian-archive-keyring.gpg"
        (folder / "etc/sources.list").write_text(f"deb [{signed}] {_debian()} trixie main\n")
        own = {
            "APT::Architecture": "i386",
            "APT::Architectures": "i386",
            "APT::Sandbox::User": "root",
            "Debug::NoLocking": "1",
            "Dir::State": str(folder / "state"),
            "Dir::State::status": str(folder / "state/status"),
            "Dir::Cache": str(folder / "cache"),
            "Dir::Etc": str(folder / "etc"),
        }
        apt = ["apt-get", "-qq", *(f"-o{name}={value}" for name, value in own.items())]
        for command in (["update"], ["install", "-y", "--download-only", "--no-install-recommends", "micropython"]):
            subprocess.run([*apt, *command], check=False, stdout=subprocess.DEVNULL)
        for package in (folder / "cache/archives").glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(package), str(folder / "root")], check=False)
    libraries = folder / "root/usr/lib/i386-linux-gnu"
    if program.exists():
        return [str(libraries / "ld-linux.so.2"), "--library-path", str(libraries), str(program)]
    _missing("MicroPython for 32 bits is not here, and apt could not fetch it")
    return None


def _debian() -> str:
    """Where this machine has its packages from; nothing, where it is no Debian."""
    asked = ["Origin: Debian", "Component: main", "Created-By: Packages"]
    command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", *asked]
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    return next(iter(said.split()), "")


@functools.cache
def cluster() -> bool:
    """Whether there is all for the cluster of tests/ha: its programs, and the right to make network namespaces."""
    programs = (
        _program("patroni", "patroni python3-etcd", ()),
        _program("etcd", "etcd-server", ()),
        _program("haproxy", "haproxy", ("/usr/sbin/haproxy",)),
        _program("ip", "iproute2", ("/usr/sbin/ip",)),
        nginx(),
        postgresql(),
    )
    if not all(programs):
        return False
    # Inside a bridge, a cable and a namespace within: what a container may be refused each for itself.
    trial = (
        "mount -t tmpfs none /run/netns && ip netns add one && ip link add lab type bridge"
        " && ip link add one type veth peer name eth0 netns one && ip link set one master lab"
    )
    command = ["unshare", "--net", "--mount", "sh", "-c", f"mkdir -p /run/netns && {trial}"]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode:
        print(f"SKIPPED: the cluster needs network namespaces: {tried.stderr.strip()}", flush=True)
    return not tried.returncode


@functools.cache
def _program(name: str, package: str, places: tuple[str, ...]) -> str | None:
    """`package`: one or more; `places`: patterns of paths beside those of PATH."""
    found = _find(name, places)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Installing {package} for the tests that need it…", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", *package.split()]):
            subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
        found = _find(name, places)
    if found is None:
        _missing(f"{name} is not here, and only root can install it: apt-get install {package}")
    return found


def _missing(sentence: str) -> None:
    if os.environ.get("CI") == "true":
        raise SystemExit(sentence)
    print(f"SKIPPED: {sentence}", flush=True)


def _find(name: str, places: tuple[str, ...]) -> str | None:
    return shutil.which(name) or next(chain.from_iterable(map(sorted, map(glob, places))), None)
