"""Say in sentences and tables what a comparison shows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict

from harness.cli.exit_status import ExitStatus
from harness.cli.table import one_line
from harness.compare.arms import START_UP, Arm
from harness.compare.findings import Comparison, KindFound, TimeFound
from harness.units import exact_rate, format_duration, format_rate

__all__ = ["document", "kinds_rows", "notes", "sentences", "status_of_all", "times_rows"]


def sentences(found: Comparison) -> list[str]:
    """Return what a developer repeats to others: the failure rates first, then whatever else differs."""
    kinds = [_kind_sentence(kind, found) for kind in found.kinds_shown]
    return [_rate_sentence(found), *kinds, *(_time_sentence(time, found) for time in found.times_shown)]


def _rate_sentence(found: Comparison) -> str:
    a, b, rates = found.reference, found.other, found.rates
    if not rates.told_a or not rates.told_b:
        silent = " and ".join(_name(arm) for arm in (a, b) if not arm.told)
        return f"nothing can be compared: no boot of {silent} told anything"
    counts = f"{_share(rates.bad_b, rates.told_b)} against {_share(rates.bad_a, rates.told_a)}"
    interval = (
        f"{exact_rate(found.confidence)} interval of the difference {_signed(rates.low)} to {_signed(rates.high)}"
    )
    known = f"{interval}, exact; p {_p(rates.corrected)}"
    if found.rate_differs:
        word = "more" if rates.difference > 0 else "less"
        return f"{_name(b)} fails {word} often than {_name(a)}: {counts} ({known})"
    if found.shown(rates.corrected):
        return (
            f"{_name(b)} and {_name(a)} may differ: {counts} ({known}); but {a.lost + b.lost} boots told nothing, and "
            "had all of those spoken against it, no difference would be shown"
        )
    return f"no difference between the failure rates of {_name(b)} and {_name(a)} is shown: {counts} ({known})"


def _kind_sentence(kind: KindFound, found: Comparison) -> str:
    rates = found.rates
    more = kind.bad_b * rates.told_a > kind.bad_a * rates.told_b
    return (
        f"{found.other.label} fails {'more' if more else 'less'} often with {one_line(kind.signature)!r}: "
        f"{kind.bad_b} of {rates.told_b} against {kind.bad_a} of {rates.told_a} (p {_p(kind.corrected)})"
    )


def _time_sentence(time: TimeFound, found: Comparison) -> str:
    paired = time.paired
    assert paired is not None  # nothing is shown about times that were not paired
    what = "start-up" if time.name == START_UP else f"the phase {time.name}"
    size = f"{paired.ratio - 1:.1%} longer" if paired.ratio > 1 else f"{1 - paired.ratio:.1%} less time"
    return (
        f"{what} takes {size} in {found.other.label}: {format_duration(time.median_b_s)} against "
        f"{format_duration(time.median_a_s)} ({exact_rate(found.confidence)} interval of the ratio "
        f"{_ratio(paired.low)} to {_ratio(paired.high)}; p {_p(time.corrected)})"
    )


def kinds_rows(found: Comparison) -> list[tuple[str, ...]]:
    """Return the table of the kinds of failure, its heading first."""
    a, b = found.reference.label, found.other.label
    rows: list[tuple[str, ...]] = [(f"failed in {a}", f"in {b}", "p", "kind")]
    for kind in found.kinds:
        rows.append((str(kind.bad_a), str(kind.bad_b), _p(kind.corrected), one_line(kind.signature)))
    return rows


def times_rows(found: Comparison) -> list[tuple[str, ...]]:
    """Return the table of the times, its heading first; ratios are of neighbours where boots had neighbours."""
    a, b = found.reference.label, found.other.label
    rows: list[tuple[str, ...]] = [
        ("time", f"median {a}", b, f"{b}/{a}", "interval", f"longer in {b}", "pairs", "p", "")
    ]
    for time in found.times:
        paired = time.paired
        ratio = time.described.ratio if paired is None else paired.ratio
        longer = time.described.longer if paired is None else paired.longer
        rows.append(
            (
                time.name,
                format_duration(time.median_a_s),
                format_duration(time.median_b_s),
                f"{ratio:.3f}",
                "-" if paired is None else f"{_ratio(paired.low)} to {_ratio(paired.high)}",
                f"{longer:.0%}",
                "-" if paired is None else str(paired.pairs),
                _p(time.corrected),
                "differs" if found.shown(time.corrected) else "",
            )
        )
    return rows


def notes(comparisons: Sequence[Comparison]) -> list[str]:
    """Say how far the numbers can be trusted, and what they leave out."""
    said = []
    arms = {arm.label: arm for found in comparisons for arm in (found.reference, found.other)}
    for arm in arms.values():
        if arm.lost:
            said.append(f"{arm.lost} boots of {arm.label} told nothing, and count neither as good nor as bad")
    times = [time for found in comparisons for time in found.times]
    unpaired = sorted({time.name for time in times if time.paired is None})
    if unpaired and any(time.paired is not None for time in times):
        said.append(f"{', '.join(unpaired)}: described, not tested, since no two neighbouring boots both got that far")
    elif unpaired:
        said.append(
            "times are described, not tested: these boots were not made side by side, and a machine that changed in "
            "between would look the same; `svsm-harness compare --scenario` boots settings interleaved"
        )
    wrong = exact_rate(round(1 - comparisons[0].confidence, 9))
    said.append(
        f"p is corrected for all {_questions(comparisons)} questions of this comparison: where nothing differs, at "
        f"most {wrong} of all comparisons claim that anything does"
    )
    return said


def status_of_all(comparisons: Sequence[Comparison]) -> ExitStatus:
    """Return the exit status: FAILED if anything is shown to be worse than in the first arm."""
    if any(found.worse for found in comparisons):
        return ExitStatus.FAILED
    for found in comparisons:
        rates = found.rates
        if not rates.told_a or not rates.told_b or (found.shown(rates.corrected) and not rates.firm):
            return ExitStatus.INCONCLUSIVE
    return ExitStatus.PASSED


def document(found: Comparison) -> dict[str, object]:
    """Return one comparison as JSON can hold it; an interval without an upper end has null there."""
    rates = found.rates
    return {
        "a": _arm(found.reference),
        "b": _arm(found.other),
        "sentences": sentences(found),
        "differs": found.differs,
        "worse": found.worse,
        "rates": {**asdict(rates), "difference": rates.difference, "shown": found.rate_differs},
        "kinds": [{**asdict(kind), "shown": found.shown(kind.corrected)} for kind in found.kinds],
        "times": [_time(time, found) for time in found.times],
    }


def _time(time: TimeFound, found: Comparison) -> dict[str, object]:
    fields = {**asdict(time), "shown": found.shown(time.corrected)}
    if time.paired is not None and math.isinf(time.paired.high):
        fields["paired"] = {**asdict(time.paired), "high": None}
    return fields


def _arm(arm: Arm) -> dict[str, object]:
    return {"label": arm.label, "what": arm.what, "bad": arm.bad, "told": arm.told, "lost": arm.lost}


def _questions(comparisons: Sequence[Comparison]) -> int:
    return sum(
        1
        + sum(kind.corrected is not None for kind in found.kinds)
        + sum(time.corrected is not None for time in found.times)
        for found in comparisons
    )


def _name(arm: Arm) -> str:
    return f"{arm.label} ({one_line(arm.what)})"


def _share(bad: int, told: int) -> str:
    return f"{bad} of {told} boots ({format_rate(bad / told)})"


def _signed(fraction: float) -> str:
    return f"{fraction * 100:+.1f}%"


def _ratio(value: float) -> str:
    return "any" if math.isinf(value) else f"{value:.3f}"


def _p(p: float | None) -> str:
    if p is None:
        return "-"
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}" if p < 0.1 else f"{p:.2f}"
