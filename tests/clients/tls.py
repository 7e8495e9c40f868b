"""An nginx that speaks TLS before a server, well and badly, on a port each."""

import datetime
import ipaddress
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.ports import free_port

KINDS = ("good", "other name", "foreign", "expired", "tls 1.2")
READY_SECONDS = 10.0
_DAY = datetime.timedelta(days=1)


@contextmanager
def speakers(program: str, folder: Path, server_port: int) -> Iterator[tuple[dict[str, int], Path]]:
    """Their ports by kind, and the CA's certificate that a device knows; all say that they are 127.0.0.1 but one."""
    ours, foreign = authority("ours"), authority("foreign")
    known = folder / "ca.pem"
    known.write_bytes(ours[1].public_bytes(serialization.Encoding.PEM))
    ports = {kind: free_port() for kind in KINDS}
    blocks = []
    for kind, port in ports.items():
        path = folder / kind.replace(" ", "-")
        certificate(path, foreign if kind == "foreign" else ours, kind)
        protocols = "TLSv1.2" if kind == "tls 1.2" else "TLSv1.2 TLSv1.3"
        blocks.append(
            f"server {{ listen 127.0.0.1:{port} ssl; ssl_certificate {path}.pem; ssl_certificate_key {path}.key;"
            f" ssl_protocols {protocols}; location / {{ proxy_pass http://127.0.0.1:{server_port};"
            " proxy_http_version 1.1; proxy_set_header Connection ''; } }"
        )
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root; " if folder.stat().st_uid == 0 else ""
    configuration = folder / "nginx.conf"
    configuration.write_text(
        f"{user}daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr; events {{}}"
        f" http {{ access_log off; {temporary} {' '.join(blocks)} }}"
    )
    log = folder / "nginx.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, "-e", "stderr", "-p", str(folder), "-c", str(configuration)], stdout=output, stderr=output
        )
    try:
        end = time.monotonic() + READY_SECONDS
        while not _listens(ports["good"]):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"nginx does not listen:\n{log.read_text()}")
            time.sleep(0.02)
        yield ports, known
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


Authority = tuple[ec.EllipticCurvePrivateKey, x509.Certificate]


def authority(name: str) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(who, who, key.public_key(), x509.random_serial_number(), now - _DAY, now + _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    return key, certificate


def certificate(path: Path, authority: Authority, kind: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if kind == "other name":
        names = [x509.DNSName("elsewhere.example")]
    ends = datetime.datetime.now(datetime.UTC) + (-_DAY if kind == "expired" else _DAY)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "elsewhere" if kind == "other name" else "localhost")])
    certificate = (
        x509.CertificateBuilder(
            authority[1].subject, who, key.public_key(), x509.random_serial_number(), ends - 2 * _DAY, ends
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority[0], hashes.SHA256())
    )
    Path(f"{path}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    Path(f"{path}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
