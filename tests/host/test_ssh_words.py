"""Every error of a connection has words, and they are those of the cause."""

import errno
import socket

import pytest
from paramiko.ssh_exception import NoValidConnectionsError, SSHException

from harness.host.ssh_words import ssh_words

REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
UNROUTED = OSError(errno.ENETUNREACH, "Network is unreachable")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "the connection was closed"),
        (EOFError(), "the connection was closed"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "Connection reset by peer"),
        (SSHException("SSH session not active"), "SSH session not active"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (OSError("Socket is closed"), "Socket is closed"),
        (SSHException(), "SSHException"),
        (NoValidConnectionsError({("127.0.0.1", 22): REFUSED}), "Connection refused"),
        (NoValidConnectionsError({("127.0.0.1", 22): REFUSED, ("127.0.0.2", 22): REFUSED}), "Connection refused"),
        (
            NoValidConnectionsError({("127.0.0.1", 22): REFUSED, ("::1", 22): UNROUTED}),
            "Connection refused; Network is unreachable",
        ),
    ],
)
def test_it_says_the_cause(error: BaseException | None, words: str) -> None:
    assert ssh_words(error) == words
