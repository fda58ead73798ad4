"""Find a bare-metal payload: a file of the user's, or one that this project builds from its sources."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock

from harness.boot.site import Site, payload_folder
from harness.errors import HostError, InputError

__all__ = ["find_payload"]


async def find_payload(image: str, site: Site) -> Path:
    """Return the image: ``image`` itself if it is a path, else the payload of that name, built if its sources changed.

    :raise InputError: if there is no such file, and no payload of that name.
    :raise HostError: if it cannot be built; carries what the compiler said.
    """
    if "/" in image:
        path = Path(image)
        if not path.is_file() or not os.access(path, os.R_OK):
            raise InputError(f"payload.image: {image} is no readable file")
        return path
    try:
        sources = payload_folder(image)
    except HostError as error:
        raise InputError(f"payload.image: this project has no payload {image!r}; write a path for your own") from error
    if not (sources / "Makefile").is_file():
        raise InputError(f"payload.image: guest_payloads/{image} is no bare-metal payload: it has no Makefile")
    return await asyncio.to_thread(_build, image, sources, site.cache / "payloads")


def _build(name: str, sources: Path, cache: Path) -> Path:
    digest = hashlib.sha256()
    # guest_payloads/lib is compiled into every payload.
    for folder in (sources, sources.parent / "lib"):
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    built = cache / f"{name}-{digest.hexdigest()[:24]}" / f"{name}.elf"
    if built.exists():
        return built
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / f"{name}.lock"):
        if built.exists():  # somebody else built it while we waited
            return built
        with tempfile.TemporaryDirectory(dir=cache) as out:
            make = shutil.which("make")
            if make is None:
                raise HostError("there is no make; `ci/quickstart` installs it, or install make and gcc")
            jobs = f"-j{os.cpu_count() or 1}"
            done = subprocess.run(
                [make, "-s", jobs, "-C", str(sources), f"OUT={out}"], capture_output=True, text=True, check=False
            )
            if done.returncode != 0:
                raise HostError(f"cannot build the payload {name}:\n{(done.stdout + done.stderr).strip()}")
            Path(out).rename(built.parent)
            Path(out).mkdir()  # for the context manager, which wants to remove it
    return built
