from __future__ import annotations

from dataclasses import fields

import pytest
from pydantic import TypeAdapter

from harness.evidence.interrupts import parse_interrupts
from harness.evidence.records import BootFacts, Loss, QemuEnd, QmpEvent, Sample, StepFact, StepStatus

_TABLE = parse_interrupts("CPU0\n")


def _facts(steps: tuple[StepFact, ...] = (), samples: tuple[Sample, ...] = ()) -> BootFacts:
    return BootFacts("tcg", 1, (), steps, samples, (), b"", "", (), None, None, None)


@pytest.mark.parametrize(
    ("data", "key", "text"),
    [
        ('{"reason": "guest-reset"}', "reason", "guest-reset"),
        ('{"reason": ""}', "reason", ""),
        ('{"guest": true}', "guest", None),
        ('{"reason": 1}', "reason", None),
        ("{}", "reason", None),
    ],
)
def test_the_text_of_an_event(data: str, key: str, text: str | None) -> None:
    assert QmpEvent(1.0, "SHUTDOWN", data).text(key) == text


def test_steps_and_samples_are_found_by_name() -> None:
    steps = tuple(StepFact(index, name, "guest", StepStatus.DONE) for index, name in enumerate(("a", "b")))
    samples = tuple(Sample(label, at_s, _TABLE, (0,)) for at_s, label in enumerate(("ready", "before a", "end")))
    facts = _facts(steps, samples)
    assert [facts.step(name) for name in ("a", "b", "c")] == [*steps, None]
    assert [facts.sample(label) for label in ("ready", "end", "after a")] == [samples[0], samples[2], None]


def test_a_loss_reads_as_a_reason() -> None:
    assert str(Loss("console", "the disk was full")) == "console: the disk was full"


@pytest.mark.parametrize(
    "value",
    [
        StepFact(1, "keys", "qmp", StepStatus.NOT_REACHED),
        StepFact(0, "q", "guest", StepStatus.FAILED, "exit status 1", 1.5, 2.5, 1, "caf\u00e9 \x00 \ufffd"),
        QemuEnd(-9, asked=False),
        Loss("qmp", "line 3"),
        Sample("ready", 1.25, parse_interrupts("CPU0 CPU2\n1: 3 4 x y\nERR: 1\n"), (0, 2)),
    ],
)
def test_values_come_back_from_json(value: object) -> None:
    adapter = TypeAdapter(type(value))
    assert adapter.validate_json(adapter.dump_json(value)) == value


def test_values_are_frozen_and_hold_nothing_else() -> None:
    loss = Loss("console", "cut")
    with pytest.raises(AttributeError):
        loss.why = "no reason"  # type: ignore[misc]
    assert [field.name for field in fields(loss)] == ["what", "why"]
    assert not hasattr(loss, "__dict__")
