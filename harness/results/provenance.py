"""Say what made a run: the harness, the machine, the command; nothing that could be a secret."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import harness
from harness.clock import utc_now

__all__ = ["describe_run"]


def describe_run(argv: Sequence[str]) -> Mapping[str, object]:
    """Return what ``run.json`` holds of a new run.

    ``argv`` is the command that was typed. The environment is left out: it is where secrets live. Which QEMU and which
    kernel it was is in the record of each boot.
    """
    return {
        "started_utc": utc_now().isoformat(timespec="seconds"),
        "command": [Path(argv[0]).name, *argv[1:]],
        "harness": {"version": harness.__version__, "commit": _commit()},
        "host": {
            "kernel": platform.release(),
            "machine": platform.machine(),
            "system": _system(),
            "cpu": _cpu(),
            "cpus": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        },
    }


def _commit() -> str | None:
    # None: installed from a package (perhaps below somebody else's checkout), or git is not there.
    checkout = Path(harness.__file__).parent.parent
    if not (checkout / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def _system() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    except OSError:
        return platform.system()


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor()
