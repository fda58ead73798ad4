"""Say in sentences what a campaign is for, what it shows and how sure that is, and which rule the numbers obey."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus
from harness.cli.table import one_line
from harness.stability.account import Account, Kind
from harness.stability.goal import Goal
from harness.stats.answer import Answer, fixed_answer
from harness.stats.binomial import clean_boots_needed, most_failures_allowed, upper_bound
from harness.stats.sequential import sequential_clean_boots_needed
from harness.units import exact_rate, format_rate

__all__ = [
    "answer_sentence",
    "beforehand",
    "final_sentence",
    "interval_text",
    "kinds_rows",
    "lost_sentence",
    "repro_command",
    "status_of",
    "variants_rows",
]


def beforehand(goal: Goal) -> str:
    """Say what the campaign can show at best, before its first boot."""
    limit = goal.max_failure_rate
    if limit is None:
        return "no limit was given, so that any failure is a FAIL; --max-failure-rate 1% asks for a rate instead"
    confidence = exact_rate(goal.confidence)
    claim = f"a failure rate below {exact_rate(limit)} is shown with {confidence} confidence by"
    if goal.peeks:
        needed = sequential_clean_boots_needed(limit, goal.confidence)
        at_most = "" if needed <= goal.boots else f", which is more than the {goal.boots} that are made at most"
        return f"{claim} {needed} boots without a failure (decided while watching){at_most}"
    needed = clean_boots_needed(limit, goal.confidence)
    allowed = most_failures_allowed(goal.boots, limit, goal.confidence)
    if allowed is None:
        return f"{claim} {needed} boots without a failure: {goal.boots} cannot show it, whatever they do"
    may = "none may fail" if allowed == 0 else f"at most {allowed} may fail"
    return f"{claim} {needed} boots without a failure; of {goal.boots}, {may}"


def interval_text(account: Account) -> str:
    """Return the interval and the rule it obeys: ``95% interval 2.4% to 11.6%, exact``."""
    low, high = account.interval
    rule = "exact" if account.exact else "anytime-valid"
    return f"{exact_rate(account.goal.confidence)} interval {_percent(low)} to {_percent(high)}, {rule}"


def final_sentence(account: Account) -> str:
    """Return what a developer repeats to others."""
    boots = account.told
    if not boots:
        return f"none of {_boots(account.counted)} told anything"
    kinds = sum(kind.known is None for kind in account.kinds())
    told = f"{account.bad} of {_boots(boots)} failed: {_percent(account.bad / boots)} ({interval_text(account)})"
    told = f"{told}, in {kinds} kind{'s' if kinds != 1 else ''}" if kinds else told
    return f"{told}; {account.known} more failed as known" if account.known else told


def lost_sentence(account: Account) -> str | None:
    """Say how many boots told nothing and why; None if all told something."""
    lines = account.lost_lines()
    if not lines:
        return None
    counts = Counter(line.status for line in lines)
    parts = ", ".join(f"{counts[status]} {status}" for status in Status if counts[status])
    first = lines[0]
    return (
        f"{_boots(len(lines))} told nothing ({parts}), and count neither as good nor as bad; the first, "
        f"{first.folder or 'not booted'}: {one_line(first.reason, 200)}"
    )


def answer_sentence(account: Account) -> str:
    """Return the answer, and by which rule it was found."""
    goal, answer = account.goal, account.answer
    limit, confidence = goal.max_failure_rate, exact_rate(goal.confidence)
    if limit is None:
        return {
            Answer.PASS: "no boot failed",
            Answer.FAIL: "boots failed, and without --max-failure-rate no failure is accepted",
            Answer.UNDECIDED: "no failure was seen, but not every boot told something",
        }[answer]
    if answer is not Answer.UNDECIDED:
        side = "below" if answer is Answer.PASS else "above"
        if account.exact:
            rule = "exact, one-sided, for a number of boots that was fixed beforehand"
            if answer is Answer.PASS:
                bound = upper_bound(account.bad + account.lost, account.counted, goal.confidence)
                rule = f"at most {_percent(bound)}; {rule}"
        else:
            assert account.decided is not None  # the only other way to an answer
            rule = f"sequential, decided by boot {account.decided[1]}; valid although the boots were watched"
        return f"the failure rate is {side} {exact_rate(limit)} with {confidence} confidence ({rule})"
    said = f"{_boots(account.counted)} show neither a failure rate below {exact_rate(limit)} nor one above it"
    not_bad = account.good + account.known
    if account.lost and fixed_answer(account.bad, not_bad, 0, limit, goal.confidence) is not Answer.UNDECIDED:
        return f"{said}: those that told nothing could tip it"
    return f"{said}, with {confidence} confidence"


def status_of(account: Account) -> ExitStatus:
    """Return the exit status of a campaign that was not interrupted."""
    answer = account.answer
    if answer is Answer.UNDECIDED:
        statuses = {line.status for line in account.lines.values()}
        if statuses == {Status.ERROR}:
            return ExitStatus.ERROR
        if statuses == {Status.UNSUPPORTED}:
            return ExitStatus.NOTHING_RAN
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.PASSED if answer is Answer.PASS else ExitStatus.FAILED


def repro_command(run: str, kind: Kind) -> str:
    """Return the command that makes the first boot of a kind of failure again."""
    return f"svsm-harness repro {run}/{(kind.first.folder or '').removeprefix('boots/')}"


def kinds_rows(kinds: Sequence[Kind], run: str) -> list[tuple[str, ...]]:
    """Return the table of the kinds of failure, its heading first; ``run`` is how the run is named in commands."""
    heading = ("failures", "known as", "first", "how to see it again", "kind")
    rows: list[tuple[str, ...]] = [
        (
            str(kind.boots),
            kind.known or "-",
            kind.first.folder or "-",
            repro_command(run, kind),
            one_line(kind.signature),
        )
        for kind in kinds
    ]
    if not any(kind.known for kind in kinds):
        return [(row[0], *row[2:]) for row in [heading, *rows]]
    return [heading, *rows]


def variants_rows(account: Account) -> list[tuple[str, ...]]:
    """Return the table of the variants, its heading first; their rates are not told apart here, only counted."""
    variants: dict[str, Counter[Status]] = {}
    for _, line in sorted(account.lines.items()):
        variants.setdefault(line.identity.variant, Counter())[line.status] += 1
    rows: list[tuple[str, ...]] = [("failed", "of", "told nothing", "variant")]
    for variant, counts in variants.items():
        told = counts[Status.FAIL] + counts[Status.PASS]
        rows.append((str(counts[Status.FAIL]), str(told), str(counts.total() - told), variant))
    return rows


def _boots(number: int) -> str:
    return f"{number} boot{'s' if number != 1 else ''}"


def _percent(fraction: float) -> str:
    # One decimal in the middle, where format_rate would make 12% of 11.6%.
    if not 0.01 <= fraction < 0.99:
        return format_rate(fraction)
    return f"{fraction * 100:.1f}%".replace(".0%", "%")
