from __future__ import annotations

import pytest
from pydantic import ValidationError
from sample_facts import expect, lost, sample

from harness.checks.base import Status
from harness.checks.vcpus_online import VcpusOnlineCheck

SAMPLES = (sample("ready", {}), sample("after off", {}, (0,)), sample("after on", {}, (0, 1)))


@pytest.mark.parametrize(
    ("check", "status", "operand"),
    [
        (VcpusOnlineCheck(count=2), Status.PASS, "2 online (0, 1), expected 2"),
        (VcpusOnlineCheck(count=4), Status.FAIL, "2 online (0, 1), expected 4"),
        (VcpusOnlineCheck(count=1), Status.FAIL, "2 online (0, 1), expected 1"),
        (VcpusOnlineCheck(count=1, after="off"), Status.PASS, "1 online (0), expected 1"),
        (VcpusOnlineCheck(count=2, after="off"), Status.FAIL, "1 online (0), expected 2"),
        (VcpusOnlineCheck(count=2, after="on"), Status.PASS, ""),
        (VcpusOnlineCheck(count=2, after="other"), Status.INCONCLUSIVE, "never asked for its CPUs (after other)"),
    ],
)
def test_cpus_are_counted_where_they_were_sampled(check: VcpusOnlineCheck, status: Status, operand: str) -> None:
    expect(check, status, operand, samples=SAMPLES)


def test_a_guest_that_was_never_asked_or_whose_answer_was_lost() -> None:
    expect(VcpusOnlineCheck(count=2), Status.INCONCLUSIVE, "(ready)", samples=())
    expect(VcpusOnlineCheck(count=2), Status.INCONCLUSIVE, "samples: ", samples=SAMPLES, losses=lost("samples"))
    expect(VcpusOnlineCheck(count=4), Status.FAIL, samples=SAMPLES, losses=lost("console"))


def test_no_guest_has_no_cpu() -> None:
    with pytest.raises(ValidationError):
        VcpusOnlineCheck(count=0)


def test_the_step_is_named_for_loading_and_the_guest_is_sampled_for_it() -> None:
    assert VcpusOnlineCheck(count=1, after="off").steps_named() == ("off",)
    assert VcpusOnlineCheck(count=1).steps_named() == ()
    assert VcpusOnlineCheck.needs_samples
