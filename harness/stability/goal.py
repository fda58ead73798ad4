"""Say what a stability campaign is for: how many boots, which limit, and when to stop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.errors import InputError
from harness.scenario.model import Stability
from harness.units import exact_rate, parse_rate

__all__ = ["Asked", "Goal", "Until", "choose_goal", "resume_goal"]

_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class Until:
    """Stop once ``count`` boots have failed with a signature that contains ``signature``."""

    count: int
    signature: str

    @classmethod
    def parse(cls, text: str) -> Until:
        """Read ``K:SIGNATURE``.

        :raise InputError: if it is something else.
        """
        number, colon, signature = text.partition(":")
        if not colon or not number.isdecimal() or int(number) == 0 or not signature.strip():
            raise InputError(
                f"--until {text}: write K:SIGNATURE, such as '3:guest-panic'; a part of a signature will do"
            )
        return cls(int(number), signature.strip())

    def __str__(self) -> str:
        """Render as it is typed."""
        return f"{self.count}:{self.signature}"


@dataclass(frozen=True, slots=True)
class Goal:
    """Fix a campaign before its first boot.

    ``boots`` is the number of boots, or the most that are made with ``sequential`` or ``until``. Rates are fractions of
    1. ``max_failure_rate`` None: no failure is accepted. ``extended``: the number was raised after boots had been seen.
    """

    boots: int
    max_failure_rate: float | None
    confidence: float
    sequential: bool = False
    until: Until | None = None
    extended: bool = False

    @property
    def peeks(self) -> bool:
        """Tell whether the number of boots depends on what the boots show, so that no exact interval holds."""
        return self.sequential or self.until is not None or self.extended


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold what was typed; None: not given."""

    boots: int | None = None
    max_failure_rate: str | None = None
    confidence: str | None = None
    sequential: bool = False
    until: str | None = None


def choose_goal(asked: Asked, sections: Sequence[Stability | None]) -> Goal:
    """Return what was typed, completed by the ``stability:`` sections of the variants.

    :raise InputError: if there is no number of boots, a rate is impossible, or the variants' sections differ.
    """
    if len(set(map(repr, sections))) > 1:
        raise InputError("the variants' stability: sections differ; choose some of them with --only")
    section = sections[0]
    rate = _rate("--max-failure-rate", asked.max_failure_rate, section.max_failure_rate if section else None)
    if rate is not None and not 0 < rate < 1:
        raise InputError(
            f"no number of boots can show a failure rate below {exact_rate(rate)}"
            if rate == 0
            else "every failure rate is below 100%; a limit must say more"
        )
    confidence = _rate("--confidence", asked.confidence, section.confidence if section else _CONFIDENCE)
    if confidence is None or not 0 < confidence < 1:
        raise InputError("--confidence must be above 0% and below 100%")
    boots = asked.boots if asked.boots is not None else section.boots if section else None
    if boots is None:
        raise InputError("say how many boots: --boots 300, or a stability: section in the scenario")
    if asked.sequential and rate is None:
        raise InputError("--sequential decides about a limit: add --max-failure-rate 1%")
    return Goal(boots, rate, confidence, asked.sequential, Until.parse(asked.until) if asked.until else None)


def resume_goal(recorded: Goal, asked: Asked) -> Goal:
    """Return the goal that goes on: the recorded one, with more boots if more are asked for.

    :raise InputError: if anything else was typed than is recorded, since that would change the question half-way.
    """
    given = {
        "--max-failure-rate": (_rate("--max-failure-rate", asked.max_failure_rate, None), recorded.max_failure_rate),
        "--confidence": (_rate("--confidence", asked.confidence, None), recorded.confidence),
        "--sequential": (asked.sequential or None, recorded.sequential),
        "--until": (Until.parse(asked.until) if asked.until else None, recorded.until),
    }
    for option, (typed, was) in given.items():
        if typed is not None and typed != was:
            raise InputError(f"{option} is not what the run was started with; leave it out, or start a new run")
    if asked.boots is None or asked.boots == recorded.boots:
        return recorded
    if asked.boots < recorded.boots:
        raise InputError(f"--boots {asked.boots} is less than the {recorded.boots} that the run was started with")
    return replace(recorded, boots=asked.boots, extended=True)


def _rate(option: str, text: str | None, otherwise: float | None) -> float | None:
    if text is None:
        return otherwise
    try:
        return parse_rate(text)
    except ValueError as error:
        raise InputError(f"{option}: {error}") from error
