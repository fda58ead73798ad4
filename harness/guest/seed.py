"""Make the seed of a guest that boots from a disk: what cloud-init on it needs to let this boot's key in.

cloud-init's datasource NoCloud takes user-data and meta-data from a file system with the label ``cidata``. The image
is made in memory and given to QEMU as a memfd: like the keys in an initramfs, it never touches a disk.
"""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from textwrap import indent

from harness.guest.iso9660 import iso_image
from harness.guest.secrets import BootSecrets, public_blob

__all__ = ["SEED_LABEL", "seed_image", "seed_memfd"]

SEED_LABEL = "cidata"
# runcmd comes after the SSH server's start (cloud-final.service). By the kernel's log, as the harness's own init does,
# because no other line can land inside it.
_USER_DATA = """\
#cloud-config
disable_root: false
ssh_deletekeys: true
ssh_authorized_keys: ["{user}"]
ssh_keys:
  ed25519_public: {host}
  ed25519_private: |
{private}
runcmd:
  - [sh, -c, 'echo "<1>svsm-harness: ready" >/dev/kmsg']
"""


def seed_image(secrets: BootSecrets, instance: str, files: Mapping[str, bytes] | None = None) -> bytes:
    """Return the seed's image; ``instance`` names this boot, so that cloud-init takes it for a first one.

    ``files`` maps absolute guest paths to content, as programs: they are written before the SSH server starts.
    """
    user_data = _USER_DATA.format(
        user=_public(secrets.user_public),
        host=_public(secrets.host_public),
        private=indent(_private(secrets.host_private), "    ").rstrip(),
    )
    if files:
        user_data += "write_files:\n" + "".join(_written(path, content) for path, content in files.items())
    meta_data = f"instance-id: {instance}\nlocal-hostname: svsm-guest\n"
    return iso_image(SEED_LABEL, {"user-data": user_data.encode(), "meta-data": meta_data.encode()})


@contextmanager
def seed_memfd(image: bytes) -> Iterator[int]:
    """Yield the descriptor of an anonymous file with ``image``; closed afterwards."""
    descriptor = os.memfd_create("svsm-seed")
    try:
        view = memoryview(image)
        while view:
            view = view[os.write(descriptor, view) :]
        yield descriptor
    finally:
        os.close(descriptor)


# JSON is YAML, and quotes any path.
def _written(path: str, content: bytes) -> str:
    packed = base64.b64encode(gzip.compress(content, mtime=0)).decode()
    entry = {"path": path, "permissions": "0755", "encoding": "gz+b64", "content": packed}
    return f"  - {json.dumps(entry)}\n"


def _public(key: bytes) -> str:
    return f"ssh-ed25519 {base64.b64encode(public_blob(key)).decode()} harness"


def _private(seed: bytes) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.from_private_bytes(seed)
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
