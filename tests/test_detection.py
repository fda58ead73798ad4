"""Every fault of the VMPL model is noticed by the check that is for it, and a boot without a fault by none."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from harness.boot.site import payload_folder
from harness.checks.base import Status, Verdict
from harness.classify.outcome import Outcome, OutcomeKind
from harness.detection import FAULTS, Row, Trial, build_row, columns_of, fired, plan_fault_free, plan_faults, problems
from harness.results.record import BootLine

PASS, FAIL, INCONCLUSIVE = Status.PASS, Status.FAIL, Status.INCONCLUSIVE
TRIALS = plan_faults(seed=1)
BLIND = {"invariants", "irq_routing", "switch_latency", "vmpl_switches"}
ENDED = Outcome(OutcomeKind.PAYLOAD_ENDED, "", "", "ready")


def _trial(spec: str, flavour: str = "roy") -> Trial:
    return next(trial for trial in TRIALS if (trial.spec, trial.flavour) == (spec, flavour))


def _row(spec: str, *said: tuple[str, Status], struck: int | None = 1, flavour: str = "roy") -> Row:
    trial = _trial(spec, flavour)
    verdicts = tuple(Verdict(check, status, f"{check} said {status}") for check, status in said)
    console = (
        b""
        if struck is None
        else b"vmpl_model: fault %s opportunities=9 fired=%d\n"
        % (
            trial.spec.partition(":")[0].encode(),
            struck,
        )
    )
    return build_row(trial, BootLine(trial.plan.identity, "boots/0001", FAIL, "", verdicts, ENDED, 1.0), console)


def test_every_fault_of_the_payload_has_its_check() -> None:
    source = (payload_folder("vmpl_model") / "faults.c").read_text()
    names = re.findall(r'^\s*\[FAULT_\w+\] = "([a-z0-9-]+)",$', source, re.MULTILINE)
    assert names
    assert list(dict.fromkeys(fault.name for fault in FAULTS)) == names
    assert all(fault.noticed_by or fault.blind for fault in FAULTS)


def test_each_flavour_is_tried_with_each_fault_and_without() -> None:
    for flavour in ("roy", "planes-v1"):
        specs = [trial.spec for trial in TRIALS if trial.flavour == flavour]
        assert specs == ["none", *(fault.name + form for fault in FAULTS for form in fault.forms)]
    payloads = {trial.spec: trial.plan.setting.payload for trial in TRIALS}
    assert payloads["none"] is not None and payloads["none"].faults == ()
    assert payloads["irq-lost:0.2"] is not None and payloads["irq-lost:0.2"].faults == ("irq-lost:0.2",)
    assert len({trial.plan.variant.slug for trial in TRIALS}) == len(TRIALS)


def test_boots_without_a_fault_are_mixed() -> None:
    trials = plan_fault_free(40)
    axes = {tuple(value for _, value in trial.plan.variant.axes) for trial in trials}
    assert len(trials) == 40
    assert {flavour for flavour, _, _ in axes} == {"roy", "planes-v1"}
    assert {vcpus for _, vcpus, _ in axes} == {1, 2, 4, 8}
    assert all(trial.plan.setting.payload is not None and not trial.plan.setting.payload.faults for trial in trials)


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        (_row("irq-lost", ("irq_routing", FAIL), ("report", FAIL), ("outcome", PASS)), []),
        (_row("irq-lost", ("irq_routing", PASS), ("report", FAIL)), ["nobody noticed: irq_routing says PASS"]),
        (_row("irq-lost", ("irq_routing", INCONCLUSIVE)), ["nobody noticed: irq_routing says INCONCLUSIVE"]),
        (_row("irq-lost", ("report", FAIL)), ["nobody noticed: irq_routing says nothing"]),
        (_row("irq-lost", ("irq_routing", FAIL), ("console", FAIL)), ["console must stay quiet and says FAIL"]),
        # A fault whose rate passed over every opportunity is a boot without one.
        (_row("irq-lost:0.2", ("irq_routing", PASS), struck=0), []),
        (_row("irq-lost:0.2", ("irq_routing", FAIL), struck=0), ["irq_routing must stay quiet and says FAIL"]),
        # A boot that ended before it could count its faults.
        (_row("guest-panic", ("outcome", FAIL), ("startup", FAIL), struck=None), []),
        (_row("none", ("outcome", PASS), ("irq_routing", PASS)), []),
        (_row("none", ("outcome", FAIL)), ["outcome must stay quiet and says FAIL"]),
        (_row("none", ("irq_routing", INCONCLUSIVE)), ["irq_routing must pass and says INCONCLUSIVE"]),
        (_row("none", ("switch_latency", INCONCLUSIVE)), ["switch_latency must pass and says INCONCLUSIVE"]),
        (_row("none", ("switch_latency", INCONCLUSIVE), flavour="planes-v1"), []),
        # A hole in the trace must never be a PASS.
        (
            _row("trace-lost", *((check, INCONCLUSIVE) for check in sorted(BLIND))),
            [],
        ),
        (
            _row("trace-lost", *((check, INCONCLUSIVE) for check in sorted(BLIND)[:3])),
            ["vmpl_switches must be INCONCLUSIVE and says nothing"],
        ),
        (
            _row("trace-lost", ("invariants", PASS), ("irq_routing", INCONCLUSIVE), ("switch_latency", INCONCLUSIVE),
                 ("vmpl_switches", FAIL)),
            ["invariants must be INCONCLUSIVE and says PASS", "vmpl_switches must be INCONCLUSIVE and says FAIL"],
        ),
    ],
)  # fmt: skip
def test_a_row_is_compared_with_what_its_fault_demands(row: Row, wrong: list[str]) -> None:
    assert list(row.wrong) == wrong
    assert [sentence.partition("): ")[2] for sentence in problems([row]) if "never struck" not in sentence] == wrong


def test_the_worst_that_a_check_said_is_its_cell() -> None:
    row = _row("irq-lost", ("irq_routing", PASS), ("irq_routing", FAIL), ("irq_routing", INCONCLUSIVE))
    assert dict(row.cells) == {"irq_routing": FAIL}
    assert columns_of([row]) == ("irq_routing",)


def test_a_boot_that_was_not_made_proves_nothing() -> None:
    trial = _trial("irq-lost")
    line = BootLine(trial.plan.identity, None, Status.ERROR, "host: no gcc", (), None, 0.0)
    assert build_row(trial, line, b"").wrong == ("not booted: host: no gcc",)


def test_a_fault_that_never_struck_is_named() -> None:
    rows = [_row(fault.name + fault.forms[0], struck=1) for fault in FAULTS]
    assert not [sentence for sentence in problems(rows) if "never struck" in sentence]
    rows = [replace(row, fired=0) if row.spec == "start-slow" else row for row in rows]
    assert "start-slow never struck" in problems(rows)


@pytest.mark.parametrize(
    ("console", "count"),
    [
        (b"vmpl_model: fault irq-lost opportunities=10 fired=3\n", 3),
        (b"vmpl_model: fault irq-lost opportunities=10 fired=0\n", 0),
        (b"vmpl_model: fault irq-lost armed rate=1/1 after=0 seed=1\n", None),
        (b"vmpl_model: fault irq-lost-and-found opportunities=1 fired=1\n", None),
        (b"", None),
    ],
)
def test_how_often_a_fault_struck_is_read_from_the_console(console: bytes, count: int | None) -> None:
    assert fired(console, "irq-lost:0.2:3") == count
