"""Make a git repository whose commits build variants of the VMPL model, one of which makes AP start hang."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Collection
from pathlib import Path

from harness.boot.site import payload_folder

__all__ = ["BUILD", "arm_hang", "git", "make_repository"]

BUILD = "make -s -j2 -C vmpl_model OUT=$PWD/out"
# Two VMSAs of the AP are created in each boot (SVSM and guest), so that 10.56% each hang one boot in five.
_RATE = 0.105573
_STATE = "} faults[FAULT_COUNT];"
_HANGS = "} faults[FAULT_COUNT] = {[FAULT_AP_START_HANG] = {.armed = true, .rate = %d}};"


def arm_hang(faults: str, rate: float = _RATE) -> str:
    """Return the text of faults.c with a fault that hangs each VMSA of an AP at this rate."""
    assert _STATE in faults
    return faults.replace(_STATE, _HANGS % round(rate * 1_000_000))


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", "-C", str(folder), *identity, *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def make_repository(
    folder: Path, commits: int, culprit: int, broken: Collection[int] = (), rate: float = _RATE
) -> list[str]:
    """Return the hashes of ``commits`` + 1 commits, the first without the failure; ``broken`` ones do not build.

    From ``culprit`` on, each VMSA of an AP hangs at this rate.
    """
    sources = payload_folder("vmpl_model")
    shutil.copytree(sources, folder / "vmpl_model")
    shutil.copytree(sources.parent / "lib", folder / "lib")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "vmpl_model: begin")
    faults, main = folder / "vmpl_model" / "faults.c", folder / "vmpl_model" / "main.c"
    text = main.read_text()
    for number in range(1, commits + 1):
        if number == culprit:
            faults.write_text(arm_hang(faults.read_text(), rate))
        error = "#error does not build\n" if number in broken else ""
        main.write_text(f'{text}\nconst char revision_{number}[] = "{number}";\n{error}')
        git(folder, "commit", "--quiet", "-a", "-m", f"vmpl_model: change number {number}")
    return git(folder, "log", "--reverse", "--format=%H").split()
