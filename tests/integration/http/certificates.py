"""Certificates for the TLS tests: an authority, and servers that it signed, rightly or wrongly."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NOW = dt.datetime.now(dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass
class Signed:
    """A certificate with its key, in one PEM file."""

    path: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Authority:
    """A certificate authority that keeps its files in a folder."""

    def __init__(self, folder: Path, name: str = "authority"):
        self.folder = folder
        self.name = name
        self.own = self._signed(name, [], None, NOW + DAY)
        #: What a client trusts.
        self.path = folder / f"{name}.ca.pem"
        self.path.write_bytes(self.own.certificate.public_bytes(serialization.Encoding.PEM))

    def server(
        self, name: str = "server", address: str = "127.0.0.1", until: dt.datetime = NOW + DAY
    ) -> ssl.SSLContext:
        """A server's context with a certificate for an address and for `localhost`-like name `NAME.test`."""
        names = [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName(f"{name}.test")]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._signed(name, names, self.own, until).path)
        return context

    def client(self, name: str = "client", password: str = "") -> Path:
        """A client's certificate and key in one file."""
        return self._signed(name, [], self.own, NOW + DAY, password).path

    def _signed(
        self, name: str, names: list[x509.GeneralName], by: Signed | None, until: dt.datetime, password: str = ""
    ) -> Signed:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by.certificate.subject if by else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW - 30 * DAY)
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(by.key if by else key, hashes.SHA256())
        encryption = (
            serialization.BestAvailableEncryption(password.encode()) if password else serialization.NoEncryption()
        )
        path = self.folder / f"{self.name}.{name}.pem"
        private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return Signed(path, key, certificate)
