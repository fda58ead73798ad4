"""Judge one boot: every expectation of the scenario, and what is expected of every boot."""

from __future__ import annotations

from collections.abc import Sequence

from harness.checks.base import Check, Evidence, Status, Verdict
from harness.checks.outcome import OutcomeCheck
from harness.checks.report import ReportCheck
from harness.classify.host_kernel import how_hurt
from harness.classify.outcome import OutcomeKind
from harness.evidence.records import HOST, StepStatus
from harness.scenario.expectation import Expectation

__all__ = ["judge"]

# By isa-debug-exit: kvm-unit-tests' exit(0) (lib/x86/io.c), and COCONUT's and the VMPL model's 0x10 for a pass
# (scripts/test-in-svsm.sh).
_GOOD_EXITS = (1, 33)


def judge(expect: Sequence[Expectation], evidence: Evidence) -> tuple[Verdict, ...]:
    """Return a verdict for each expectation, after those on the outcome and on the steps.

    :raise TypeError: if an expectation is no check, which only a bug can bring about.
    """
    checks = []
    for expectation in expect:
        if not isinstance(expectation, Check):
            raise TypeError(f"{expectation.key} cannot judge")
        checks.append(expectation)
    if not any(isinstance(check, OutcomeCheck) for check in checks):
        # A payload that can end QEMU does so when it is done; every other guest must be up until we end it.
        kind = OutcomeKind.PAYLOAD_ENDED if evidence.facts.debug_exit else OutcomeKind.READY
        checks.insert(0, OutcomeCheck(kind=kind))
    if evidence.facts.report is not None and not any(isinstance(check, ReportCheck) for check in checks):
        checks.append(ReportCheck())  # behind the checks that the scenario chose, which say more
    lost = next((loss for loss in evidence.facts.losses if loss.what == HOST), None)
    if lost is not None:
        # What was seen until then is in the record, but what it would have come to is not.
        return (Verdict(HOST, Status.INCONCLUSIVE, lost.why),)
    verdicts = [check.judge(evidence) for check in checks]
    verdicts += _judge_host(evidence)
    verdicts += _judge_exit(evidence)
    steps = _judge_steps(evidence)
    return tuple(verdicts if steps is None else [*verdicts, steps])


def _judge_host(evidence: Evidence) -> list[Verdict]:
    # A KVM that breaks its own kernel is the finding, whatever the guest did.
    host = evidence.facts.host
    hurt = how_hurt(host.log) if host is not None and host.log is not None else None
    if host is None or hurt is None:
        return []
    return [Verdict(HOST, Status.FAIL, f"while this guest ran on host {host.name}, {hurt}; reboot it")]


def _judge_exit(evidence: Evidence) -> list[Verdict]:
    end = evidence.facts.qemu_end
    if evidence.outcome.kind is not OutcomeKind.PAYLOAD_ENDED or end is None or end.status in _GOOD_EXITS:
        return []
    return [Verdict("exit_status", Status.FAIL, f"QEMU's exit status {end.status}: {evidence.outcome.detail}")]


def _judge_steps(evidence: Evidence) -> Verdict | None:
    # The first step that went wrong is the finding; those behind it were not reached because of it.
    for step in evidence.facts.steps:
        if step.status in (StepStatus.FAILED, StepStatus.LATE):
            return Verdict("steps", Status.FAIL, f"step {step.name}: {step.reason}")
        if step.status is StepStatus.REFUSED:
            return Verdict("steps", Status.ERROR, f"scenario: step {step.name}: {step.reason}")
        if step.status is StepStatus.NOT_REACHED:
            return Verdict("steps", Status.INCONCLUSIVE, f"step {step.name} was not reached")
    return None
