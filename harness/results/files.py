"""Write files so that a reader finds them whole or not at all, also after a power cut."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from harness.errors import HostError, InputError

__all__ = ["append_line", "cannot_write", "read_lines", "write_whole"]

_Line = TypeVar("_Line")


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` in one step: a temporary file beside it, flushed to the disk, then renamed.

    :raise HostError: if the disk is full or the folder cannot be written; ``path`` is as it was.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise cannot_write(path, error) from error


def append_line(path: Path, line: bytes) -> None:
    """Append one line, in one write, and flush it to the disk; processes may do so at the same time.

    A line that a crash or a full disk cut short is ended first, so that it cannot swallow this one.

    :raise HostError: if it cannot be written whole; what was written of it is taken back.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)  # freed by close, also a dead process's
            end = os.fstat(descriptor).st_size
            cut = end > 0 and os.pread(descriptor, 1, end - 1) != b"\n"
            data = (b"\n" if cut else b"") + line + b"\n"
            try:
                if os.write(descriptor, data) != len(data):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            except OSError:
                os.ftruncate(descriptor, end)
                raise
        finally:
            os.close(descriptor)
    except OSError as error:
        raise cannot_write(path, error) from error


def read_lines(path: Path, form: TypeAdapter[_Line]) -> Iterator[_Line]:
    """Yield the lines that :func:`append_line` wrote; one that a crash cut short never counted, and is passed over.

    :raise OSError: if the file cannot be read.
    :raise InputError: if a line is whole but says something else than ``form``; names file and line.
    """
    for number, row in enumerate(path.read_bytes().split(b"\n"), start=1):
        try:
            json.loads(row)
        except ValueError:
            continue
        try:
            yield form.validate_json(row)
        except ValidationError as error:
            what = error.errors()[0]["msg"]
            raise InputError(f"{path}:{number}: {what}; another version of the harness wrote it") from error


def cannot_write(path: Path, error: OSError) -> HostError:
    """Make the error for a file that could not be written, with what to do."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    what_to_do = "free some space" if full else "choose another folder with --results"
    return HostError(f"cannot write {path}: {error.strerror}; {what_to_do}")
