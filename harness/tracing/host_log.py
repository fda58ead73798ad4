"""Read what is new in a host's kernel log, and its taint."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from harness.clock import Deadline
from harness.errors import EvidenceLost
from harness.evidence.host_log import LogDelta, added_lines
from harness.host.protocol import Host
from harness.tracing.scripts import cut_sections, log_script

__all__ = ["LogMark", "mark_log", "read_log"]


@dataclass(frozen=True, slots=True)
class LogMark:
    """Remember where a host's log ended; ``last_line`` is empty for an empty log."""

    boot_id: str
    taint: int
    last_line: str


async def mark_log(host: Host, deadline: Deadline) -> LogMark:
    """Note where the log ends now.

    :raise EvidenceLost: if it cannot be read; says what to type.
    :raise TimeoutError: at the deadline.
    """
    boot_id, taint, log = await _ask(host, deadline, whole=False)
    return LogMark(boot_id, taint, log.strip("\n"))


async def read_log(host: Host, since: LogMark, deadline: Deadline) -> LogDelta:
    """Return what the kernel said since the mark, and the taint then and now.

    :raise EvidenceLost: if the log cannot be read, has gone round, or the host was rebooted in between.
    :raise TimeoutError: at the deadline.
    """
    boot_id, taint, log = await _ask(host, deadline, whole=True)
    if boot_id != since.boot_id:
        raise EvidenceLost(f"host {host.name} was rebooted under the boot")
    lines = added_lines(since.last_line, log)
    if lines is None:
        raise EvidenceLost(
            f"the kernel log of host {host.name} has gone round, or was cleared; "
            "boot that kernel with log_buf_len=16M to keep more"
        )
    return LogDelta(lines, since.taint, taint)


async def _ask(host: Host, deadline: Deadline, *, whole: bool) -> tuple[str, int, str]:
    token = secrets.token_hex(8)
    finished = await host.run(log_script(token, whole=whole), deadline)
    sections = cut_sections(finished.stdout.decode(errors="replace"), token)
    if "end" not in sections:
        raise EvidenceLost(f"host {host.name} did not say how its kernel is: {finished.stderr[-200:]!r}")
    if "log" not in sections:
        raise EvidenceLost(
            f"the kernel log of host {host.name} cannot be read: {sections['nolog'].strip()}; "
            "there, as root: sysctl kernel.dmesg_restrict=0"
        )
    return sections["boot_id"].strip(), int(sections["tainted"].strip() or 0), sections["log"]
