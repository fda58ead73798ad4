"""Build the payload that wants CPU flags, and fails without them every time."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ["flags_image"]

_SOURCE = Path(__file__).with_name("flags_payload.S")


def flags_image(folder: Path, kind: str) -> Path:
    """Return the image; ``kind`` is what the source tells apart: ONE flag is wanted, or a PAIR."""
    image = folder / "flags.elf"
    subprocess.run(["gcc", "-m32", "-c", f"-D{kind}", _SOURCE, "-o", f"{image}.o"], check=True)
    subprocess.run(
        ["ld", "-m", "elf_i386", "-Ttext", "0x100000", "-e", "_start", f"{image}.o", "-o", image], check=True
    )
    return image
