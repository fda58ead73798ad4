"""A boot under real nested KVM, as it was recorded by ci/record-trace: everything is derived from it again."""

from __future__ import annotations

import lzma
import shutil
from pathlib import Path

import pytest

from harness.boot.judging import judge_record
from harness.checks.base import Status
from harness.evidence.formats import parse_formats, unfamiliar
from harness.evidence.records import BootFacts
from harness.results.load import load_facts
from harness.results.record import BootRecord, boot_record_json

RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("recorded")
    for path in RECORDED.iterdir():
        if path.suffix == ".xz":
            (target / path.stem).write_bytes(lzma.decompress(path.read_bytes()))
        else:
            shutil.copy(path, target)
    return target


def record(folder: Path) -> BootRecord:
    return boot_record_json.validate_json((folder / "boot.json").read_bytes())


def facts(folder: Path) -> BootFacts:
    return load_facts(folder, record(folder), {"kvm_exit"})


def test_every_verdict_is_a_pass_again(folder: Path) -> None:
    line = judge_record(folder, record(folder), "boots/0001")
    assert {verdict.status for verdict in line.verdicts} == {Status.PASS}, line.verdicts
    assert [verdict.check for verdict in line.verdicts].count("kvm_events") == 17
    assert sum("the kernel's own count confirms" in verdict.reason for verdict in line.verdicts) == 17


def test_the_kernels_counts_are_the_traces_event_by_event(folder: Path) -> None:
    found = facts(folder)
    assert found.host is not None and found.host.tracing is not None and found.trace is not None
    assert found.trace.integrity.complete and found.trace.integrity.unknown == (), found.trace.integrity
    tracing = found.host.tracing
    assert tracing.counts and {count.event for count in tracing.counts} == tracing.names
    for count in tracing.counts:
        assert count.total == found.trace.integrity.count(count.event), count.event
    exits = tracing.count("kvm_exit")
    assert exits is not None and {thread for thread, _ in exits.by_thread} == set(dict(tracing.threads))
    # The mark at the end is in the buffer too.
    assert sum(buffer.read for buffer in tracing.buffers) == found.trace.integrity.events
    assert sum(buffer.lost for buffer in tracing.buffers) == 0


def test_this_kernel_prints_nothing_that_is_not_known(folder: Path) -> None:
    formats = parse_formats((folder / "trace.formats").read_text())
    assert len(formats) > 80 and unfamiliar(formats.values()) == ()
    assert facts(folder).host is not None


def test_times_of_the_trace_lie_within_the_boot(folder: Path) -> None:
    found, boot = facts(folder), record(folder)
    assert found.host is not None and found.host.tracing is not None
    assert found.trace is not None and found.trace.kept
    times = [found.host.tracing.at_s(kept.at) for kept in found.trace.kept]
    # The offset between the clocks is known to some milliseconds; on a machine without timer_list to some tens.
    assert -0.5 < times[0] < times[-1] < boot.duration_s + 0.5


def test_one_line_less_is_noticed(folder: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(folder, damaged)
    lines = (folder / "trace.log").read_bytes().splitlines(keepends=True)
    drop = next(at for at, line in enumerate(lines) if b" kvm_exit: " in line)
    (damaged / "trace.log").write_bytes(b"".join(lines[:drop] + lines[drop + 1 :]))
    verdicts = judge_record(damaged, record(damaged), "boots/0001").verdicts
    reasons = [verdict.reason for verdict in verdicts if verdict.status is Status.INCONCLUSIVE]
    assert len(reasons) == 1 and "events went astray" in reasons[0]
