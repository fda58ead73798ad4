from __future__ import annotations

import mmap
from pathlib import Path

import pytest
from pydantic import ValidationError
from sample_facts import expect, lost

from harness.checks.base import Status
from harness.checks.console import ConsoleCheck

LOG = b"Linux version 6.12\r\nWARNING: CPU: 0 PID: 1\r\nlogin: \xff\xfe\r\n"


@pytest.mark.parametrize(
    ("check", "status", "operands"),
    [
        (
            ConsoleCheck(contains=("Linux version",), lacks=("BUG:", "panic")),
            Status.PASS,
            ["1 found, 2 absent", "55 bytes"],
        ),
        (ConsoleCheck(contains=("^WARNING",)), Status.PASS, []),  # ^ is the start of any line
        (ConsoleCheck(contains=("Linux", "login.*$")), Status.PASS, []),
        (ConsoleCheck(contains=("Linux", "ready")), Status.FAIL, ["'ready'", "55 bytes"]),
        (ConsoleCheck(lacks=("BUG:", "WARNING:.*")), Status.FAIL, ["'WARNING: CPU: 0 PID: 1", "'WARNING:.*'"]),
        (ConsoleCheck(lacks=(r"login: ...",)), Status.FAIL, ["login: \ufffd\ufffd"]),
    ],
)
def test_texts_that_must_and_must_not_be_there(check: ConsoleCheck, status: Status, operands: list[str]) -> None:
    expect(check, status, *operands, console=LOG)


@pytest.mark.parametrize("check", [ConsoleCheck(contains=("absent",)), ConsoleCheck(lacks=("Linux",))])
def test_a_cut_console_proves_nothing(check: ConsoleCheck) -> None:
    expect(check, Status.INCONCLUSIVE, "console: the disk was full", console=LOG, losses=lost("console"))
    expect(check, Status.FAIL, console=LOG, losses=lost("qmp"))


def test_an_empty_console_has_nothing() -> None:
    expect(ConsoleCheck(contains=("x",)), Status.FAIL, "0 bytes", console=b"")


def test_a_mapped_log_is_searched_to_its_end(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("wb") as file:
        file.truncate(50 << 20)
        file.seek(0, 2)
        file.write(b"\nthe end\n")
    with log.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        expect(ConsoleCheck(contains=("^the end$",), lacks=("BUG:",)), Status.PASS, console=text)


@pytest.mark.parametrize("bad", [{}, {"contains": ["("]}, {"lacks": [r"\u2026"]}, {"contains": ["(?u)x"]}, {"any": []}])
def test_what_is_refused_at_loading(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ConsoleCheck.model_validate(bad, strict=False)
