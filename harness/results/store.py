"""Own the folder of one run: ``run.json``, ``boots.jsonl``, and a folder for each boot.

``boots.jsonl`` is the truth: append-only, a line a boot, flushed to the disk before the boot counts as done. Several
processes may write into one run.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from harness.clock import utc_now
from harness.errors import HostError, InputError
from harness.results.files import append_line, cannot_write, read_lines, write_whole
from harness.results.record import BootLine, BootRecord, boot_line_json, boot_record_json

__all__ = ["Run", "create_run", "find_part", "find_run", "read_about", "split_boot"]

_BOOTS = "boots.jsonl"


@dataclass(frozen=True, slots=True)
class Run:
    """Be the folder of one run."""

    folder: Path

    def new_boot_folder(self) -> Path:
        """Make the next free ``boots/N``; no two boots ever get the same, whichever process asks.

        :raise HostError: if it cannot be made.
        """
        boots = self.folder / "boots"
        try:
            boots.mkdir(exist_ok=True)
            number = 1 + max((int(path.name) for path in boots.iterdir() if path.name.isdecimal()), default=0)
            while True:
                try:
                    folder = boots / f"{number:04d}"
                    folder.mkdir()
                    return folder
                except FileExistsError:
                    number += 1
        except OSError as error:
            raise cannot_write(boots, error) from error

    def append(self, line: BootLine) -> None:
        """Record what became of a boot; when this returns, it is on the disk.

        :raise HostError: if it cannot be written.
        """
        append_line(self.folder / _BOOTS, boot_line_json.dump_json(line))

    def write_record(self, folder: Path, record: BootRecord) -> None:
        """Write ``boot.json`` of a boot.

        :raise HostError: if it cannot be written.
        """
        write_whole(folder / "boot.json", boot_record_json.dump_json(record, indent=1))

    @property
    def any_ended(self) -> bool:
        """Tell whether a boot of this run has come to its end, so that :meth:`lines` has something to read."""
        return (self.folder / _BOOTS).exists()

    def boot_names(self) -> list[str]:
        """List the boots that were begun, as ``boots/N``, in order."""
        return [f"boots/{path.name}" for path in sorted((self.folder / "boots").glob("*"))]

    def lines(self) -> Iterator[BootLine]:
        """Read what is recorded, in order; a line that was cut by a crash is passed over, as its boot never counted.

        :raise InputError: if the run has no boots, or a line is whole but says something else.
        """
        path = self.folder / _BOOTS
        try:
            yield from read_lines(path, boot_line_json)
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist: no boot of that run came to its end") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error

    def boot_folder(self, name: str) -> Path:
        """Return the folder of the boot ``name`` (``3``, ``0003`` or ``boots/0003``).

        :raise InputError: if there is none, naming those there are.
        """
        number = name.removeprefix("boots/")
        for path in sorted((self.folder / "boots").glob("*")):
            if path.name == number or (number.isdecimal() and path.name == f"{int(number):04d}"):
                return path
        known = [path.name for path in sorted((self.folder / "boots").glob("*"))]
        span = f"{known[0]} to {known[-1]}" if known else "none"
        raise InputError(f"{self.folder} has no boot {name}; it has {span}")

    def read_record(self, folder: Path) -> BootRecord:
        """Read ``boot.json`` of a boot.

        :raise InputError: if it is missing (the boot never ended) or damaged.
        """
        path = folder / "boot.json"
        try:
            return boot_record_json.validate_json(path.read_bytes())
        except FileNotFoundError as error:
            raise InputError(f"{path} does not exist: that boot never came to its end") from error
        except OSError as error:
            raise InputError(f"{path}: {error.strerror}") from error
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise InputError(f"{path}: {what}; it is damaged, or another version of the harness wrote it") from error


def create_run(results: Path, about: Mapping[str, object]) -> Run:
    """Make the folder of a new run under ``results``, with ``about`` as its ``run.json``; ``latest`` points to it.

    :raise HostError: if it cannot be made.
    """
    # The time for people, the random part because two runs may start in one second.
    name = f"{utc_now():%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
    folder = results / name
    try:
        folder.mkdir(parents=True)
        write_whole(folder / "run.json", json.dumps({"run": name, **about}, indent=1).encode() + b"\n")
        link = results / f".latest-{name}"
        link.symlink_to(name)
        link.replace(results / "latest")
    except OSError as error:
        raise cannot_write(folder, error) from error
    return Run(folder)


def find_run(results: Path, name: str) -> Run:
    """Find a recorded run by the path of its folder, its name under ``results``, or ``latest``.

    :raise InputError: if there is none.
    """
    for folder in (Path(name), results / name):
        if (folder / "run.json").is_file():
            return Run(folder.resolve() if folder.is_symlink() else folder)
    try:
        known = sorted(
            path.name for path in results.iterdir() if (path / "run.json").is_file() and not path.is_symlink()
        )
    except OSError as error:
        raise InputError(f"there is no run {name}: {results} cannot be read ({error.strerror})") from error
    recent = ", ".join([*known[-3:], "latest"]) if known else "none yet"
    raise InputError(f"there is no run {name} under {results}; there are {recent}")


def find_part(results: Path, name: str) -> tuple[Run, str | None]:
    """Find what ``RUN`` or ``RUN:NAME`` names: a run, and one of its scenarios or variants (None: all of it).

    :raise InputError: if there is no such run.
    """
    try:
        return find_run(results, name), None
    except InputError:
        run, colon, wanted = name.rpartition(":")
        if not colon:
            raise
        return find_run(results, run), wanted


def split_boot(name: str) -> tuple[str, str | None]:
    """Split ``RUN/BOOT`` (``latest/3``, ``results/…/boots/0003``) into both; None: no boot is named."""
    path = Path(name)
    if path.parent.name == "boots":
        return str(path.parent.parent), path.name
    if path.name.isdecimal() and str(path.parent) != ".":
        return str(path.parent), path.name
    return name, None


def read_about(run: Run) -> Mapping[str, object]:
    """Read ``run.json``.

    :raise HostError: if it is damaged.
    """
    try:
        about = json.loads((run.folder / "run.json").read_bytes())
    except (OSError, ValueError) as error:
        raise HostError(f"{run.folder / 'run.json'} cannot be read: {error}") from error
    if not isinstance(about, dict):
        raise HostError(f"{run.folder / 'run.json'} is no JSON object")
    return about
