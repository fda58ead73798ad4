"""Keep how a guest looked that was given up: ``vitals.json`` in its boot's folder."""

from __future__ import annotations

from pathlib import Path

from pydantic import TypeAdapter

from harness.evidence.records import Loss
from harness.evidence.vitals import Vitals
from harness.results.files import write_whole

__all__ = ["read_vitals", "write_vitals"]

_NAME = "vitals.json"
_vitals_json: TypeAdapter[Vitals] = TypeAdapter(Vitals)


def write_vitals(folder: Path, vitals: Vitals) -> None:
    """Write them.

    :raise HostError: if they cannot be written.
    """
    write_whole(folder / _NAME, _vitals_json.dump_json(vitals))


def read_vitals(folder: Path) -> tuple[Vitals | None, tuple[Loss, ...]]:
    """Read them back; None for a boot without, and a loss where they are damaged."""
    path = folder / _NAME
    if not path.exists():
        return None, ()
    try:
        return _vitals_json.validate_json(path.read_bytes()), ()
    except (ValueError, OSError):
        return None, (Loss("vitals", f"{_NAME} is damaged"),)
