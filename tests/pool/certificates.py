"""Make the files of a small authority, as the administrator of a pool would."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.pool.cluster import Tls

__all__ = ["authority"]


def authority(folder: Path, address: str) -> Tls:
    """Write an authority, and a certificate that it has signed for ``address``, into ``folder``."""
    folder.mkdir()
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in (f"{folder.name} CA", "pool")]
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    tls = Tls(address, folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    for path, name, key in zip((tls.ca_file, tls.cert), names, keys, strict=True):
        certificate = (
            x509.CertificateBuilder(names[0], name, key.public_key(), x509.random_serial_number(), now - day, now + day)
            .add_extension(x509.BasicConstraints(ca=path == tls.ca_file, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
            .sign(keys[0], hashes.SHA256())
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    tls.key.write_bytes(keys[1].private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return tls
