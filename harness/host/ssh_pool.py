"""Share the connections to one host among the commands that run there at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.host.login import Line

if TYPE_CHECKING:
    import paramiko

__all__ = ["PooledLine", "SshPool"]

# sshd takes 10 sessions on a connection (sshd_config MaxSessions).
_MOST_CHANNELS = 8
# As large as it gets, so that a message about it is rare: one that comes late ends a session of dropbear.
_WINDOW_BYTES = 1 << 30


@dataclass(eq=False)
class PooledLine:
    """Be one connection; ``used`` counts the commands that were begun on it and not let go.

    dropbear 2022.83 carries one at a time, and none before the last one's channel is closed: when a command ends, it
    closes every channel whose command was not begun yet, and it ends the whole connection at a message for a channel
    that is closed, such as the command that was to begin (src/common-channel.c, check_close and getchannel_msg).
    """

    line: Line
    used: int = 0
    #: Those that the other side has not closed yet; paramiko closes one that is collected, at which dropbear ends all.
    channels: list[paramiko.Channel] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Tell whether the connection still stands."""
        return bool(self.line.transport.is_active())

    @property
    def free(self) -> bool:
        """Tell whether one more command may begin."""
        self.channels = [channel for channel in self.channels if not channel.closed]
        alone = "dropbear" in self.line.transport.remote_version.lower()
        return self.alive and (not (self.used or self.channels) if alone else self.used < _MOST_CHANNELS)

    def begin(self, command: str) -> paramiko.Channel:
        """Begin a command and return its channel; blocks until the other side has answered.

        :raise paramiko.SSHException, OSError, EOFError: if the connection is lost.
        """
        channel = self.line.transport.open_session(window_size=_WINDOW_BYTES)
        self.channels.append(channel)
        channel.exec_command(command)
        return channel

    def let_go(self, begun: asyncio.Future[paramiko.Channel]) -> None:
        """Give it back once ``begun`` is done, to which this is a callback: a caller may have given up before."""
        self.used -= 1
        if not begun.cancelled():
            begun.exception()  # whoever waited for it was told


class SshPool:
    """Hold the connections; more are made by ``log_in`` as they are needed."""

    def __init__(self, first: Line, log_in: Callable[[], Awaitable[Line]]) -> None:
        """Take the first connection, with which all stand or fall."""
        self._lines = [PooledLine(first)]
        self._log_in = log_in
        self._picking = asyncio.Lock()

    @property
    def alive(self) -> bool:
        """Tell whether the first connection still stands."""
        return self._lines[0].alive

    async def take(self) -> PooledLine:
        """Return a connection on which a command may begin; whoever takes it lets it go."""
        # One at a time: a server takes few connections that have not logged in yet (sshd_config MaxStartups).
        async with self._picking:
            found = next((one for one in self._lines if one.free), None)
            if found is None:
                found = PooledLine(await self._log_in())
                self._lines.append(found)
            found.used += 1
            return found

    async def close(self) -> None:
        """End all of them; what runs on them hears that they broke."""
        for one in self._lines:
            await asyncio.to_thread(one.line.close)
