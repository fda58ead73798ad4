"""Lend the keys of one boot to a person's ``ssh``, without a file that could be left behind."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from contextlib import contextmanager

from harness.guest.secrets import BootSecrets, public_blob

__all__ = ["identity_descriptors"]


@contextmanager
def identity_descriptors(secrets: BootSecrets, port: int) -> Iterator[tuple[int, int]]:
    """Yield the descriptors of two anonymous files: the user's private key, and a known_hosts line for the guest.

    ``ssh`` of the same user reads them as /proc/PID/fd/N while the body runs. ``port`` is where 127.0.0.1 leads to the
    guest's SSH.
    """
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.from_private_bytes(secrets.user_private).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    host = base64.b64encode(public_blob(secrets.host_public))
    descriptors = []
    try:
        for content in (key, b"[127.0.0.1]:%d ssh-ed25519 %s\n" % (port, host)):
            descriptor = os.memfd_create("svsm-identity")
            descriptors.append(descriptor)
            os.fchmod(descriptor, 0o600)  # ssh refuses a key that others could read
            os.write(descriptor, content)
        yield descriptors[0], descriptors[1]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
