from __future__ import annotations

import base64
from pathlib import Path

from sample_results import add_boot, boot_line, make_run
from sample_trace import call, deliver, key, start, text_of, within

from harness.checks.base import Status
from harness.evidence.records import Loss, StepFact, StepStatus
from harness.history.tally import Boot
from harness.report.example import Example, show_example


def _example(tmp_path: Path, status: Status = Status.FAIL, trace: bytes | None = None, **changes: object) -> Example:
    run = make_run(tmp_path, [])
    line = add_boot(run, boot_line(status, reason="<b>\x1b[1m"), **changes)  # type: ignore[arg-type]
    if trace is not None:
        (run.folder / "boots" / "0001" / "trace.log").write_bytes(trace)
    return show_example(run, Boot(run.folder.name, line))


def test_a_boot_is_shown_with_what_it_left(tmp_path: Path) -> None:
    step = StepFact(0, "keys\n", "qmp", StepStatus.FAILED, "refused")
    found = _example(tmp_path, console=b"a\x1b[31m\nb\n", steps=(step,), losses=(Loss("qmp", "cut"),))
    assert found.name is not None and found.name.endswith("/1")
    assert (found.reason, found.console) == ("outcome: <b>", ("a", "b"))
    assert found.steps == (("keys\ufffd", "failed", "refused"),)
    assert found.notes == ("evidence lost: qmp: cut",)
    assert found.timeline is None


def test_the_timeline_marks_the_violation(tmp_path: Path) -> None:
    events = [*start(0), *start(1), *within("calls:1", call(0)), *key(), *deliver(0, 0x31)]
    found = _example(tmp_path, trace=text_of(events))
    assert found.timeline is not None
    svg = base64.b64decode(found.timeline.partition(",")[2]).decode()
    assert "vCPU 1" in svg and "outcome: &lt;b&gt;" in svg


def test_a_trace_that_cannot_be_drawn_says_why(tmp_path: Path) -> None:
    assert "cannot be drawn" in _example(tmp_path, trace=b"# of no flavour\n").notes[0]
    assert "show --timeline" in _example(tmp_path, trace=b"x" * (17 << 20)).notes[0]


def test_a_boot_that_is_gone_is_still_an_example(tmp_path: Path) -> None:
    run = make_run(tmp_path, [])
    assert show_example(run, Boot("r", boot_line(Status.UNSUPPORTED))).notes == ("nothing was booted",)
    line = add_boot(run, boot_line(Status.FAIL))
    for path in (run.folder / "boots" / "0001").iterdir():
        path.unlink()
    assert "never came to its end" in show_example(run, Boot("r", line)).notes[0]
    (run.folder / "boots" / "0001").rmdir()
    assert show_example(run, Boot("r", line)).notes == ("its logs were deleted by prune",)
