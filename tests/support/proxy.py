"""The nginx of `deploy/nginx.conf` in front of a server: Debian's program, that file, and nothing else changed than
addresses, certificate and one patience."""

import datetime
import os
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.ports import free_port
from tests.support.server import ROOT

NAME = "meters.example.com"
CONFIGURATION = ROOT / "deploy" / "nginx.conf"
READY_SECONDS = 10.0
PATIENCE = 1
"""Seconds until its 504, in place of 60."""


@dataclass(frozen=True)
class Proxy:
    """A running nginx; its ports on 127.0.0.1."""

    plain: int
    tls: int
    certificate: Path

    def context(self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """What a client that knows the certificate speaks TLS with."""
        context = ssl.create_default_context(cafile=str(self.certificate))
        context.maximum_version = newest
        return context

    def connect(self, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.tls), timeout=10)
        return self.context(newest).wrap_socket(raw, server_hostname=NAME)


@contextmanager
def nginx(program: str, folder: Path, server_port: int) -> Iterator[Proxy]:
    """In front of the server at that port, for the length of the block."""
    proxy = Proxy(free_port(), free_port(), folder / "fullchain.pem")
    _make_certificate(proxy.certificate, folder / "privkey.pem")
    (folder / "site.conf").write_text(_site(proxy, folder, server_port))
    (folder / "nginx.conf").write_text(_main(folder))
    log = folder / "nginx.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-e", "stderr", "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=output, stderr=output
        )
    try:
        began = time.monotonic()
        while not _listens(proxy.tls):
            if process.poll() is not None or time.monotonic() - began > READY_SECONDS:
                raise RuntimeError(f"nginx does not listen:\n{log.read_text()}")
            time.sleep(0.02)
        yield proxy
    finally:
        process.terminate()
        process.wait(10)


def of_cluster(folder: Path, upstream: str, address: str) -> Path:
    """Makes the configuration of an nginx at that address with these servers behind it, its name for `nginx -c`."""
    _make_certificate(folder / "fullchain.pem", folder / "privkey.pem")
    text = CONFIGURATION.read_text(encoding="utf-8")
    ours = text[text.index("upstream ozone_telemetry {") :].partition("\n}\n")[0] + "\n}\n"
    site = _moved(text.replace(ours, upstream), folder, f"{address}:80", f"{address}:443")
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(_main(folder))
    return folder / "nginx.conf"


def _site(proxy: Proxy, folder: Path, server_port: int) -> str:
    text = _moved(
        CONFIGURATION.read_text(encoding="utf-8"), folder, f"127.0.0.1:{proxy.plain}", f"127.0.0.1:{proxy.tls}"
    )
    return _replaced(
        text,
        ("server 127.0.0.1:8000;", f"server 127.0.0.1:{server_port};"),
        ("proxy_read_timeout    60s;", f"proxy_read_timeout    {PATIENCE}s;"),
    )


def _moved(text: str, folder: Path, plain: str, tls: str) -> str:
    return _replaced(
        text,
        ("    listen 80;\n", f"    listen {plain};\n"),
        ("    listen [::]:80;\n", ""),
        ("    listen 443 ssl;\n", f"    listen {tls} ssl;\n"),
        ("    listen [::]:443 ssl;\n", ""),
        (f"/etc/ssl/{NAME}/", f"{folder}/"),
    )


def _replaced(text: str, *pairs: tuple[str, str]) -> str:
    for theirs, ours in pairs:
        assert theirs in text, theirs
        text = text.replace(theirs, ours)
    return text


def _main(folder: Path) -> str:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root;" if os.geteuid() == 0 else ""
    return (
        f"{user} daemon off; pid {folder}/nginx.pid; worker_processes 1; events {{ worker_connections 256; }}\n"
        f"http {{ access_log off; {places} include {folder}/site.conf; }}\n"
    )


def _make_certificate(certificate: Path, key: Path) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
