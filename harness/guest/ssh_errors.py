"""Name what can go wrong between us and the guest's shell.

::

    SshError                 (a HarnessError)
    ├── SshUnreachable       no session until the deadline; carries the last cause
    ├── HostKeyMismatch      something else answers on the guest's port
    ├── SshLost              the session broke while it was needed
    └── GuestFileError       the guest cannot read or write a file
"""

from __future__ import annotations

from harness.errors import HarnessError
from harness.host.ssh_words import ssh_words

__all__ = ["GuestFileError", "HostKeyMismatch", "SshError", "SshLost", "SshUnreachable"]


class SshError(HarnessError):
    """Be the root of what can go wrong between us and the guest's shell."""


class SshUnreachable(SshError):
    """Report that no session came about until the deadline; ``cause`` is the last attempt's failure, or None."""

    def __init__(self, address: str, port: int, attempts: int, cause: BaseException | None) -> None:
        """Take where, how often, and why the last attempt failed."""
        self.attempts = attempts
        self.cause = cause
        why = "no attempt finished" if cause is None else (str(cause) or type(cause).__name__)
        super().__init__(
            f"no SSH session with {address}:{port} after {attempts} attempt{'s' if attempts != 1 else ''}: {why}; "
            "the end of the guest's console says how far it came"
        )


class HostKeyMismatch(SshError):
    """Report that the host key is not the one made for this boot: another guest, or a stranger, has the port."""

    def __init__(self, address: str, port: int) -> None:
        """Take where the wrong key was met."""
        super().__init__(
            f"{address}:{port} showed another host key than this boot's guest has; another machine answers on that port"
        )


class SshLost(SshError):
    """Report that the session ended while ``doing`` was under way: the guest died, rebooted or lost its network."""

    def __init__(self, doing: str, cause: BaseException | None) -> None:
        """Take what was under way, and the transport's reason when it has one."""
        self.doing = doing
        self.cause = cause
        super().__init__(f"the SSH session was lost during {doing}: {ssh_words(cause)}")


class GuestFileError(SshError):
    """Report a file of the guest that could not be read or written."""

    def __init__(self, path: str, said: str) -> None:
        """Take the guest's path, and what the guest said."""
        self.path = path
        super().__init__(f"{path} in the guest: {said or 'failed without a message'}")
