"""The kernel's log of a host, read by its own dmesg."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import EvidenceLost
from harness.evidence.host_log import LogDelta
from harness.host.local import LocalHost
from harness.tracing.host_log import LogMark, mark_log, read_log


def put_dmesg(root: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    (root / "dmesg").write_text(f"#!/bin/sh\n{script}\n")
    (root / "dmesg").chmod(0o755)
    monkeypatch.setenv("PATH", f"{root}:/usr/bin:/bin")


def mark() -> LogMark:
    return asyncio.run(mark_log(LocalHost(), Deadline.after(20)))


def read(since: LogMark) -> LogDelta:
    return asyncio.run(read_log(LocalHost(), since, Deadline.after(20)))


def test_what_is_new_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    put_dmesg(tmp_path, monkeypatch, f"cat {log}")
    log.write_text("[ 1.0] a\n[ 2.0] b\n")
    since = mark()
    assert since.last_line == "[ 2.0] b"
    assert read(since).lines == ()
    log.write_text("[ 2.0] b\n[ 3.0] kvm: c\n")
    delta = read(since)
    assert (delta.lines, delta.taint_added) == (("[ 3.0] kvm: c",), 0)


def test_a_log_that_went_round_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_dmesg(tmp_path, monkeypatch, "echo '[ 9.0] x'")
    with pytest.raises(EvidenceLost, match="log_buf_len"):
        read(LogMark(mark().boot_id, 0, "[ 1.0] a"))


def test_a_host_that_was_rebooted_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_dmesg(tmp_path, monkeypatch, "echo '[ 1.0] a'")
    with pytest.raises(EvidenceLost, match="rebooted"):
        read(LogMark("another", 0, "[ 1.0] a"))


def test_a_log_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_dmesg(tmp_path, monkeypatch, "echo 'dmesg: read kernel buffer failed: Operation not permitted' >&2; exit 1")
    with pytest.raises(EvidenceLost, match=r"not permitted.*dmesg_restrict"):
        mark()
