"""Read files of the guest again and again over one open channel.

A command of its own costs two round trips, a login shell and the start of a program; a loop in one shell answers in a
few milliseconds, which pacing interrupts needs.

Framing: a request is a path and a newline; an empty one ends the loop. The answer is the content in base64 and then
``.``, or ``!`` when the file could not be read to its end. Neither mark is a letter of base64, so no content can
imitate one.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from harness.clock import Deadline
from harness.errors import HarnessBug
from harness.guest.shell import GuestShell
from harness.guest.ssh_errors import GuestFileError, SshLost
from harness.host.remote_process import RemoteProcess

__all__ = ["Sampler", "open_sampler"]

_LOOP = 'while IFS= read -r path && [ "$path" ]; do base64 <"$path" 2>/dev/null && echo . || echo \'!\'; done'
# A loop that does not end in this time is left to the end of the session.
_END_S = 2.0
_MARKS = (b".", b"!")


@asynccontextmanager
async def open_sampler(shell: GuestShell) -> AsyncIterator[Sampler]:
    """Yield a sampler on ``shell``; its loop is ended afterwards.

    :raise SshLost: when the session breaks.
    """
    async with shell.process(_LOOP) as process:
        sampler = Sampler(process)
        yield sampler
        with suppress(TimeoutError, SshLost):
            await sampler.end(Deadline.after(_END_S))


class Sampler:
    """Read files through one channel, one request after the other."""

    def __init__(self, process: RemoteProcess) -> None:
        """Take the running loop."""
        self._process = process
        self._pending = b""
        self._broken = False

    async def read(self, paths: Sequence[str], deadline: Deadline) -> dict[str, bytes]:
        """Return the content of each path, read in this order.

        :raise GuestFileError: when one cannot be read; the sampler stays usable.
        :raise TimeoutError: at the deadline; the sampler is then out of step and refuses further use.
        :raise SshLost: when the session breaks, or after an earlier time-out.
        """
        for path in paths:
            if not path or "\n" in path or "\0" in path:
                raise GuestFileError(path, "an empty path, or one with a newline, cannot be sampled; use download")
        if self._broken:
            raise SshLost("sampling", None)
        # Until the last answer is in: an interrupted read leaves answers that belong to nobody.
        self._broken = True
        answers = {}
        async with deadline.limit():
            await self._process.send("".join(f"{path}\n" for path in paths).encode())
            for path in paths:
                answers[path] = await self._answer()
        self._broken = False
        for path, content in answers.items():
            if content is None:
                raise GuestFileError(path, "cannot be read")
        return {path: content for path, content in answers.items() if content is not None}

    async def end(self, deadline: Deadline) -> None:
        """End the loop in the guest and wait for it; nothing happens when the sampler is out of step.

        :raise TimeoutError: at the deadline.
        :raise SshLost: when the session breaks.
        """
        if self._broken:
            return
        self._broken = True
        async with deadline.limit():
            await self._process.send(b"\n")
            while await self._process.receive() is not None:
                pass
            await self._process.status()

    async def _answer(self) -> bytes | None:
        while True:
            ends = [at for mark in _MARKS if (at := self._pending.find(mark)) >= 0]
            if ends:
                break
            data = await self._process.receive()
            if data is None:
                raise SshLost("sampling", None)
            self._pending += data[0]
        end = min(ends)
        body, mark, self._pending = self._pending[:end], self._pending[end : end + 1], self._pending[end + 1 :]
        if mark == b"!":
            return None
        try:
            return base64.b64decode(b"".join(body.split()), validate=True)
        except ValueError as error:
            raise HarnessBug("the sampler's guest loop sent something that is not base64") from error
