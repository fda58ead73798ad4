"""Say in words what paramiko raised: some of its errors have none, and one tells less than it holds."""

from __future__ import annotations

__all__ = ["ssh_words"]


def ssh_words(error: BaseException | None) -> str:
    """Return why a connection failed or broke, never empty; None means that nothing is known but that it ended.

    EOFError is how paramiko states that the socket was closed, without a word (packet.py, write_all and read_all);
    ``NoValidConnectionsError`` keeps the errors of each address tried in ``errors``.
    """
    if error is None or isinstance(error, EOFError):
        return "the connection was closed"
    tried = getattr(error, "errors", None)
    if isinstance(tried, dict) and tried:
        return "; ".join(dict.fromkeys(ssh_words(one) for one in tried.values()))
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
