from __future__ import annotations

from pathlib import Path

from harness.evidence.ktap import parse_ktap
from harness.evidence.subresults import Status
from harness.report.ktap import render_ktap

from .sample_night import make_night


def test_our_own_parser_reads_it_whole(tmp_path: Path) -> None:
    report = parse_ktap([render_ktap(make_night(tmp_path)).encode()])
    assert report.complete, report.problems
    found = {".".join(result.name): result.status for result in report.subresults}
    assert found["model.calls"] is Status.FAIL
    assert found["model.lost"] is Status.FAIL  # no third answer, and no pass
    assert found["tcg.good"] is Status.PASS
    assert found["svsm.snp"] is Status.SKIP
    assert found["model.often.failure rate"] is Status.PASS


def test_a_guest_writes_no_directive(tmp_path: Path) -> None:
    text = render_ktap(make_night(tmp_path))
    assert all("# SKIP" not in line for line in text.splitlines() if "calls" in line and "ok" in line)
    assert all(line.isprintable() for line in text.splitlines())
