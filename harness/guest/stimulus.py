"""Build the small static tool that does a known number of things in the guest, and say how it is called."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from harness.errors import HostError

__all__ = ["STIMULUS", "build_stimulus"]

#: Where it is in the guest.
STIMULUS = "/usr/sbin/svsm-stimulus"
_FLAGS = ("-std=gnu11", "-O2", "-s", "-static", "-Wall", "-Wextra")


def build_stimulus(source: Path, cache: Path) -> Path:
    """Return the tool, built by this machine's gcc if ``cache`` has none of this source.

    :raise HostError: if there is no compiler, or no static C library; carries what the compiler said.
    """
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:24]
    built = cache / "tools" / f"stimulus-{digest}"
    if built.exists():
        return built
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise HostError("there is no gcc to build the guest's svsm-stimulus; `ci/quickstart` installs it")
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        out = Path(folder) / "stimulus"
        done = subprocess.run(
            [compiler, *_FLAGS, "-o", str(out), str(source)],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode != 0:
            raise HostError(f"cannot build the guest's svsm-stimulus:\n{(done.stdout + done.stderr).strip()}")
        # Whoever is last wins, with the same file.
        out.rename(built)
    return built
