"""Pack one boot into one archive: what it was, what it left, what it booted, and a script that boots it again.

The script needs a POSIX shell and QEMU, and nothing of the harness. The command line is the one that the record holds
(``qemu.sh``); every file that it names is packed, or named by its digest where it is large. The keys of the recorded
boot are gone for good: a Linux guest gets fresh ones, which nobody has.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import shlex
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostError, InputError
from harness.guest.secrets import make_secrets, overlay_cpio
from harness.results.files import cannot_write
from harness.results.record import BootLine, BootRecord, boot_line_json
from harness.results.store import Run

__all__ = ["LARGEST_BYTES", "Packed", "pack_boot"]

#: A kernel and an initramfs are packed; a disk of many gigabytes is named instead.
LARGEST_BYTES = 64 << 20
_BLOCK_BYTES = 1 << 20
# An absolute path as a value inside an option: file=/x/y,format=raw. QEMU doubles a comma that is part of a value.
_PATH = re.compile(r"(?:^|(?<=[=:,]))/(?:[^,]|,,)+")
# What is part of every machine, and no file of the boot.
_DEVICES = ("/dev/", "/proc/", "/sys/")


@dataclass(frozen=True, slots=True)
class Packed:
    """Name one file that the command line names.

    ``name`` is its place in the archive (``files/kernel``), ``path`` where it was. ``known`` tells whether the record
    has its digest, so that it is the file that was booted; None: the record says nothing of it. ``inside`` is False
    for a file that was too large, or is not here (``sha256`` empty).
    """

    name: str
    path: str
    sha256: str
    size_bytes: int
    known: bool | None
    inside: bool


def pack_boot(run: Run, name: str, target: Path, largest_bytes: int = LARGEST_BYTES) -> tuple[Packed, ...]:
    """Write the archive of the boot ``name`` (``3``) to ``target`` (gzip); return the files that its command names.

    :raise InputError: if there is no such boot, or it left no command line.
    :raise HostError: if the archive cannot be written.
    """
    folder = run.boot_folder(name)
    record = run.read_record(folder)
    line = next((line for line in run.lines() if line.folder == f"boots/{folder.name}"), None)
    argv = _argv(folder / "qemu.sh")
    overlay = _overlay(record)
    top = f"{run.folder.name}-{folder.name}"
    packed, words = _take_files(argv, record, overlay, largest_bytes)
    try:
        with tarfile.open(target, "w:gz", compresslevel=6, format=tarfile.PAX_FORMAT) as archive:
            _add(archive, f"{top}/reproduce.sh", _script(record, line, words, packed).encode(), 0o755)
            _add(archive, f"{top}/README.txt", _readme(run, record, line, packed, folder).encode())
            _add(archive, f"{top}/run.json", (run.folder / "run.json").read_bytes())
            _add(archive, f"{top}/setting.json", json.dumps(dict(record.setting), indent=1).encode())
            if line is not None:
                _add(archive, f"{top}/line.json", boot_line_json.dump_json(line, indent=1))
            scenario = Path(record.identity.file)
            if scenario.is_file():
                _add(archive, f"{top}/scenario-as-it-is-now.yaml", scenario.read_bytes())
            sums = "".join(f"{file.sha256}  {file.name}\n" for file in packed if file.sha256)
            _add(archive, f"{top}/files.sha256", sums.encode())
            for file in packed:
                if file.inside:
                    _add(archive, f"{top}/{file.name}", _content(file, overlay))
            for path in sorted(folder.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    archive.add(path, f"{top}/boot/{path.relative_to(folder)}", filter=_nobody)
    except OSError as error:
        raise cannot_write(target, error) from error
    return packed


def _argv(script: Path) -> list[str]:
    try:
        # shlex takes a backslash before a line break for a character; the shell, and whoever wrote this, do not.
        words = shlex.split(script.read_text().replace("\\\n", " "), comments=True)
    except FileNotFoundError as error:
        raise InputError(f"{script} does not exist: that boot never started QEMU") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{script}: {error}") from error
    if not words:
        raise InputError(f"{script} holds no command")
    return words


def _overlay(record: BootRecord) -> bytes:
    # What the harness puts behind the initramfs of a Linux guest, with fresh keys (harness/boot/load.py).
    guest = record.setting.get("guest")
    if not isinstance(guest, Mapping):
        return b""
    files, init = guest.get("files"), guest.get("init")
    content = {str(to): _read(str(path)) for to, path in files.items()} if isinstance(files, Mapping) else {}
    return overlay_cpio(make_secrets(), content, _read(init) if isinstance(init, str) else None)


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"the boot had {path} in its guest, and it cannot be read now: {error.strerror}") from error


def _take_files(
    argv: Sequence[str], record: BootRecord, overlay: bytes, largest_bytes: int
) -> tuple[tuple[Packed, ...], list[str]]:
    # Each file once, and the words with its place in the archive where its path was.
    found: dict[str, Packed] = {}
    words: list[str] = []
    for index, word in enumerate(argv[1:], start=1):
        option = argv[index - 1]

        def place(match: re.Match[str], option: str = option) -> str:
            path = match[0].replace(",,", ",")
            if path.startswith(_DEVICES) or option in ("-append", "-name"):
                return match[0]
            if path not in found:
                found[path] = _packed(path, option, len(found), record, overlay, largest_bytes)
            return f"../{found[path].name}"

        words.append(_PATH.sub(place, word))
    return tuple(found.values()), words


def _packed(path: str, option: str, number: int, record: BootRecord, overlay: bytes, largest_bytes: int) -> Packed:
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", Path(path).name)[-80:]
    role = option.lstrip("-") if option in ("-kernel", "-initrd", "-bios") else f"{number}"
    name = f"files/{role}-{stem}"
    source = Path(path)
    if not source.is_file():
        return Packed(name, path, "", 0, None, False)
    size_bytes = source.stat().st_size
    digest = hashlib.sha256()
    with source.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    recorded = " ".join(record.provenance.values())
    # An initramfs is recorded by the key of its parts, which is also its name in the cache.
    known = digest.hexdigest() in recorded or (option == "-initrd" and source.stem in recorded)
    if option == "-initrd" and overlay:
        digest.update(overlay)
        size_bytes += len(overlay)
    says = known if known or "sha256" in recorded or option == "-kernel" else None
    return Packed(name, path, digest.hexdigest(), size_bytes, says, size_bytes <= largest_bytes)


def _content(file: Packed, overlay: bytes) -> bytes:
    content = Path(file.path).read_bytes()
    if file.name.startswith("files/initrd-"):
        content += overlay
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise HostError(f"{file.path} changed while it was packed; try again")
    return content


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    archive.addfile(info, io.BytesIO(content))


def _nobody(info: tarfile.TarInfo) -> tarfile.TarInfo:
    # Whose machine it was is nobody's business, and nobody's account there.
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


def _script(record: BootRecord, line: BootLine | None, words: Sequence[str], packed: Sequence[Packed]) -> str:
    missing = [file for file in packed if not file.inside]
    needs = "".join(
        f"[ -e {shlex.quote(file.name)} ] || {{ echo {shlex.quote(_needed(file))} >&2; exit 2; }}\n" for file in missing
    )
    ended = record.qemu_end
    was = "QEMU was ended by the harness" if ended is None or ended.asked else f"QEMU ended with status {ended.status}"
    outcome = "" if line is None or line.outcome is None else f"; outcome: {line.outcome.kind}"
    options = " \\\n  ".join(_options(words))
    return f"""#!/bin/sh
# Boots {_comment(record.identity.variant)} on {_comment(record.identity.platform)} again, without the harness.
# The console is on this terminal: Ctrl-A X ends QEMU, Ctrl-A C switches to its monitor. What the guest writes to its
# other ports goes to out/. QEMU=/path/to/qemu chooses another QEMU.
# Recorded with QEMU {_comment(record.qemu)}; {_comment(was + outcome)}.
set -eu
cd "$(dirname "$0")"
{needs}sha256sum --quiet -c files.sha256
QEMU=${{QEMU:-{shlex.quote(Path(record.provenance.get("qemu binary", "qemu-system-x86_64")).name)}}}
mkdir -p out
cd out
exec "$QEMU" \\
  {options}
"""


def _options(words: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for word in words:
        if word.startswith("-") or not lines:
            lines.append(shlex.quote(word))
        else:
            lines[-1] += f" {shlex.quote(word)}"
    return lines


def _needed(file: Packed) -> str:
    which = f"sha256 {file.sha256}, {file.size_bytes} bytes" if file.sha256 else "not found when this was packed"
    return f"put {file.path} ({which}) at {file.name}; it is not in this archive"


def _readme(run: Run, record: BootRecord, line: BootLine | None, packed: Sequence[Packed], folder: Path) -> str:
    said = "it never came to an end" if line is None else f"{line.status}: {line.reason}"
    lines = [
        f"{record.identity.variant}",
        f"grade of evidence: {record.identity.platform}",
        f"verdict: {said}",
        f"run {run.folder.name}, boot {folder.name}, started {record.started_utc}",
        f"QEMU {record.qemu}, accel {record.accel}, {record.vcpus} vCPUs",
        "",
        "reproduce.sh    boots it again: needs sh, sha256sum and QEMU, and nothing of svsm-harness",
        "boot/           what it left: console.log, trace.log, qmp.jsonl, boot.json, ...",
        "setting.json    the scenario as it was resolved for this boot",
        "line.json       every verdict with its operands",
        "files/          what was booted; files.sha256 has the digests",
        "",
    ]
    for file in packed:
        state = "inside" if file.inside else "NOT INSIDE: named by digest"
        known = {True: "", False: "; NOT what was recorded: it changed since", None: ""}[file.known]
        lines.append(f"{file.name}: {file.path}, sha256 {file.sha256 or 'unknown'}, {state}{known}")
    lines += ["", "made of:"]
    lines += [f"  {part}: {value}" for part, value in record.provenance.items()]
    if record.steps:
        lines += [
            "",
            "steps that the harness carried out, and reproduce.sh does not (boot/qmp.jsonl has each command):",
        ]
        lines += [f"  {step.name} ({step.kind}): {step.status}" for step in record.steps]
    return "\n".join(_comment(text) for text in lines) + "\n"


def _comment(text: str) -> str:
    # One line, whatever a name holds: a line break would end a comment of the script.
    return "".join(letter if letter.isprintable() else "?" for letter in text)
