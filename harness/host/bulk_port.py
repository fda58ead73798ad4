"""Carry files into a guest of ours by a virtio port: under emulation, SSH's ciphers make 2 MB a second of it."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path

from harness.clock import Deadline

__all__ = ["BulkPort"]

# The name by which the guest finds the port (Linux drivers/char/virtio_console.c, attribute name).
_NAME = "svsm-harness.files"


class BulkPort:
    """Be one port, a file at a time; its FIFOs are in a folder that nobody else can open."""

    def __init__(self, folder: Path) -> None:
        """Make the FIFOs in ``folder``, before QEMU starts."""
        self._path = folder / "files"
        for way in ("in", "out"):
            os.mkfifo(f"{self._path}.{way}", 0o600)
        self._turn = asyncio.Lock()
        self._end: int | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Return what QEMU is told besides."""
        escaped = str(self._path).replace(",", ",,")
        return (
            "-chardev",
            f"pipe,id=files,path={escaped}",
            "-device",
            "virtio-serial-pci",
            "-device",
            f"virtserialport,chardev=files,name={_NAME}",
        )

    def open(self) -> None:
        """Take our end, once QEMU runs; from then on the files need no names.

        :raise OSError: if QEMU has not opened its own.
        """
        self._end = os.open(f"{self._path}.in", os.O_WRONLY | os.O_NONBLOCK)
        os.set_blocking(self._end, False)
        for way in ("in", "out"):
            Path(f"{self._path}.{way}").unlink()

    def close(self) -> None:
        """Give up our end."""
        if self._end is not None:
            os.close(self._end)
            self._end = None

    def script(self, path: str, size_bytes: int) -> str:
        """Return the script that writes the next ``size_bytes`` from the port to ``path`` in the guest."""
        part, whole = shlex.quote(f"{path}.part"), shlex.quote(path)
        return (
            f"# the port for files\nfor p in /sys/class/virtio-ports/*; do "
            f'[ "$(cat "$p/name")" = {_NAME} ] && port=/dev/${{p##*/}}; done\n'
            f'head -c {size_bytes} <"$port" >{part} && mv {part} {whole}'
        )

    @property
    def turn(self) -> asyncio.Lock:
        """Return the lock that whoever sends a file must hold."""
        return self._turn

    async def send(self, content: bytes, deadline: Deadline) -> None:
        """Write the bytes of one file.

        :raise TimeoutError: at the deadline; the guest then has a part of it.
        :raise OSError: if QEMU has gone.
        """
        assert self._end is not None
        loop, view = asyncio.get_running_loop(), memoryview(content)
        writable = asyncio.Event()
        async with deadline.limit():
            loop.add_writer(self._end, writable.set)
            try:
                while view:
                    await writable.wait()
                    writable.clear()
                    try:
                        view = view[os.write(self._end, view) :]
                    except BlockingIOError:
                        continue
            finally:
                loop.remove_writer(self._end)
