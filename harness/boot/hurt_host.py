"""Remember which host was hurt by a boot, until it is rebooted: its later answers cannot be trusted.

A host is known by its kernel's boot id, so that a reboot is what makes it good again. The note lies in this machine's
cache, where later runs find it; runs of other machines on the same host do not.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.results.files import write_whole

__all__ = ["note_hurt", "read_hurt"]


def note_hurt(cache: Path, host: str, boot_id: str, what: str, by: str) -> None:
    """Note that ``host`` was hurt: ``what`` says how, ``by`` which boot saw it. The first note stays.

    :raise HostError: if the cache cannot be written.
    """
    path = _path(cache, boot_id)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps({"host": host, "what": what, "by": by}, indent=1).encode())


def read_hurt(cache: Path, boot_id: str) -> str | None:
    """Return a sentence about what hurt the host in this life of its kernel; None if nothing did."""
    try:
        noted = json.loads(_path(cache, boot_id).read_text())
        return f"host {noted['host']} was hurt by an earlier boot ({noted['by']}): {noted['what']}; reboot it"
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError, OSError):
        return f"something hurt this host, and {_path(cache, boot_id)} cannot be read; reboot it"


def _path(cache: Path, boot_id: str) -> Path:
    return cache / "hurt" / f"{boot_id}.json"
