"""Find the machine that ``--host`` names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from harness.errors import InputError
from harness.scenario.hosts import BUILT_IN, HostEntry, parse_hosts
from harness.scenario.suggest import did_you_mean, listed

__all__ = ["find_host", "inventory_path", "read_inventory"]

_VARIABLE = "SVSM_HARNESS_HOSTS"
_USUAL = Path("ci/hosts.yaml")


def inventory_path(environment: Mapping[str, str]) -> Path:
    """Return where the inventory is: ``$SVSM_HARNESS_HOSTS``, or ``ci/hosts.yaml``; it need not exist."""
    return Path(environment.get(_VARIABLE, "") or _USUAL)


def read_inventory(path: Path) -> Mapping[str, HostEntry]:
    """Read a file of hosts.

    :raise ScenarioError: with every problem as file:line:column.
    :raise InputError: if it cannot be read.
    """
    try:
        return parse_hosts(path.read_text(), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def find_host(name: str, environment: Mapping[str, str]) -> tuple[HostEntry, tuple[HostEntry, ...]]:
    """Return the entry of ``name``, and those of the machines that lead there, the first one first.

    :raise InputError: if there is no inventory, or no such name in it; lists those there are.
    """
    path = inventory_path(environment)
    if not path.exists():
        raise InputError(
            f"--host {name}: there is no {path}; copy ci/hosts.example.yaml there and name your machines, "
            f"or set {_VARIABLE}; {listed(BUILT_IN)} need no file"
        )
    entries = read_inventory(path)
    known = (*BUILT_IN, *entries)
    if name not in entries:
        raise InputError(f"--host {name}: {path} has no such host{did_you_mean(name, known)}; hosts: {listed(known)}")
    entry = entries[name]
    return entry, tuple(entries[jump] for jump in entry.jump)
