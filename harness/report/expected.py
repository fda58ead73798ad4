"""Set what a scenario expects beside what was seen, check by check, in the words of the scenario file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.checks.base import Status
from harness.report.plain import plain
from harness.results.record import BootLine, BootRecord

__all__ = ["Row", "rows_of"]

# The checks that count something.
_COUNTING = (
    "vmpl_switches",
    "irq_routing",
    "interrupts",
    "switch_latency",
    "invariants",
    "startup",
    "vcpus_online",
    "qmp_events",
)
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Row:
    """Hold one expectation: the check, what the scenario says, and what the boot showed."""

    check: str
    expected: str
    seen: str
    status: Status


def rows_of(record: BootRecord, line: BootLine) -> tuple[Row, ...]:
    """Return a row for each counting check of the boot's setting; the verdicts are in the order of the setting."""
    verdicts = list(line.verdicts)
    rows = []
    for entry in _entries(record.setting.get("expect")):
        check, wanted = next(iter(entry.items()))
        index = next((i for i, verdict in enumerate(verdicts) if verdict.check == check), None)
        if index is None:
            continue
        verdict = verdicts[index]
        del verdicts[: index + 1]
        if check in _COUNTING:
            rows.append(Row(check, plain(_flow(wanted), _LONGEST), plain(verdict.reason, _LONGEST), verdict.status))
    return tuple(rows)


def _entries(expect: object) -> list[Mapping[str, object]]:
    if not isinstance(expect, Sequence) or isinstance(expect, str):
        return []
    return [entry for entry in expect if isinstance(entry, Mapping) and len(entry) == 1]


def _flow(value: object) -> str:
    # YAML's flow style, as people write it in scenarios, without what was left out there.
    if isinstance(value, Mapping):
        shown = {key: each for key, each in value.items() if not (each is None or each is False or each in ([], {}))}
        return ", ".join(f"{key}: {_inner(each)}" for key, each in shown.items())
    return _inner(value)


def _inner(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + _flow(value) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_inner, value)) + "]"
    return "true" if value is True else str(value)
