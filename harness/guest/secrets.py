"""Make the keys of one boot, and carry them into the guest without ever touching a disk.

The keys go into a second, small archive that follows the base initramfs. Both are put together in a memfd: QEMU reads
it through /proc/self/fd, and the kernel drops it when the last of us dies, even by SIGKILL.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from harness.guest import cpio

__all__ = ["BootSecrets", "initramfs_memfd", "make_secrets", "overlay_cpio", "public_blob"]

_ALGORITHM = b"ssh-ed25519"
_HOST_KEY = "/etc/dropbear/host_key"
_AUTHORIZED = "/root/.ssh/authorized_keys"
_REPLACEMENT = "/etc/svsm/init"


@dataclass(frozen=True, slots=True)
class BootSecrets:
    """Hold the Ed25519 keys of one boot: the guest's (host) and ours (user).

    ``*_private`` are 32-byte seeds, ``*_public`` 32-byte public keys (RFC 8032). Private parts stay out of repr.
    """

    host_private: bytes = field(repr=False)
    host_public: bytes
    user_private: bytes = field(repr=False)
    user_public: bytes


def make_secrets() -> BootSecrets:
    """Make fresh keys from the system's random source."""
    # Here, not above: half of the command line never boots anything, and the import is slow.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    host, user = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    return BootSecrets(
        host.private_bytes_raw(),
        host.public_key().public_bytes_raw(),
        user.private_bytes_raw(),
        user.public_key().public_bytes_raw(),
    )


def public_blob(public: bytes) -> bytes:
    """Return an Ed25519 public key as SSH sends it (RFC 8709 section 4)."""
    return _string(_ALGORITHM) + _string(public)


def overlay_cpio(
    secrets: BootSecrets, files: Mapping[str, bytes] | None = None, replacement_init: bytes | None = None
) -> bytes:
    """Return the archive of one boot: its keys, the scenario's ``files`` and its replacement script.

    ``files`` maps absolute guest paths to content; they are executable, and may replace files of the base.
    ``replacement_init`` is a shell script that runs once the modules are loaded, as process 1 and instead of the
    network and SSH: for guests that are broken on purpose. None starts SSH.
    """
    authorized = b"ssh-ed25519 " + base64.b64encode(public_blob(secrets.user_public)) + b" harness\n"
    # dropbear src/signkey.c buf_put_priv_key and src/ed25519.c buf_put_ed25519_priv_key: the name, then the private
    # key and the public key as one string.
    host_key = _string(_ALGORITHM) + _string(secrets.host_private + secrets.host_public)
    entries = [
        cpio.directory("/root", 0o700),
        cpio.directory("/root/.ssh", 0o700),
        cpio.file(_HOST_KEY, host_key, 0o600),
        cpio.file(_AUTHORIZED, authorized, 0o600),
    ]
    entries += [cpio.file(path, content, 0o755) for path, content in (files or {}).items()]
    if replacement_init is not None:
        entries.append(cpio.file(_REPLACEMENT, replacement_init, 0o755))
    return cpio.archive(cpio.with_parents(entries))


@contextmanager
def initramfs_memfd(base: Path, overlay: bytes) -> Iterator[int]:
    """Yield the descriptor of an anonymous file with ``base`` followed by ``overlay``; closed afterwards.

    Give it to QEMU with ``pass_fds`` as ``-initrd /proc/self/fd/N``. It may be closed here once QEMU runs.
    """
    descriptor = os.memfd_create("svsm-initramfs")
    try:
        with base.open("rb") as stream:
            while os.sendfile(descriptor, stream.fileno(), None, 1 << 30):
                pass
        view = memoryview(overlay)
        while view:
            view = view[os.write(descriptor, view) :]
        yield descriptor
    finally:
        os.close(descriptor)


# RFC 4251 section 5: a length of four bytes, big endian, then the bytes.
def _string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value
