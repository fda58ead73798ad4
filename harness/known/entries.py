"""Read ``known_issues.yaml``: dated, scoped, capped entries, and every mistake with its line.

The descriptions of the fields are the reference that users read (README.md names this file).
"""

from __future__ import annotations

import datetime
import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from harness.errors import InputError, Problem, ScenarioError
from harness.scenario.base import Model
from harness.scenario.model import Platform
from harness.scenario.nodes import ListNode, Mark, ScalarNode, describe
from harness.scenario.quantities import Rate
from harness.scenario.source import read_source
from harness.scenario.validate import validate

__all__ = ["KnownIssue", "KnownIssues", "Scope", "read_known_issues"]

# A signature is a line; a longer pattern describes more than one failure.
_LONGEST = 300


def _pattern(text: str) -> str:
    # Each must hold on to something: a pattern of wildcards alone would excuse every failure there is.
    if len(re.sub(r"\[.*?\]|[*?]", "", text).strip()) < 5:
        raise ValueError(f"{text!r} would match nearly every failure; keep at least five of its characters")
    return text


def _date(text: str) -> str:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is None:
        raise ValueError(f"{text!r} is no date; write the year, month and day: 2027-06-30")
    datetime.date.fromisoformat(text)
    return text


_Patterns = tuple[Annotated[str, Field(min_length=1, max_length=_LONGEST)], ...]


class Scope(Model):
    """Say which boots an entry is about; what is left out is not asked. ``*`` and ``?`` stand for other characters."""

    scenarios: _Patterns = Field(default=(), description="Names of scenarios.")
    variants: _Patterns = Field(default=(), description="Ids of variants, such as boot[[]vcpus=2[]] or *vcpus=2*.")
    platforms: tuple[Platform, ...] = Field(default=(), description="Grades: model, tcg, kvm, ….")
    flavours: _Patterns = Field(default=(), description="Whose KVM: mainline, tom, roy, planes-6.17, planes-v1.")
    qemu: _Patterns = Field(default=(), description="Versions of QEMU, such as 7.2.*.")
    kernel: _Patterns = Field(default=(), description="Versions of the guest's kernel, such as 6.12.*.")


class KnownIssue(Model):
    """Accept one kind of failure, up to a rate, until a day."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$", max_length=60, description="A short name for tables.")
    signature: str | None = Field(
        default=None, min_length=1, max_length=_LONGEST, description="The failure's signature, exactly."
    )
    pattern: Annotated[str, AfterValidator(_pattern)] | None = Field(
        default=None,
        max_length=_LONGEST,
        description="In place of signature: the same with * and ? for other characters.",
    )
    scope: Scope = Field(default=Scope(), description="Which boots this is about; left out: all.")
    max_rate: Rate = Field(description="The failure rate up to which it is accepted, such as 5%.")
    expires: Annotated[str, AfterValidator(_date)] = Field(description="The last day on which it is: 2027-06-30.")
    link: str = Field(min_length=1, description="Where it is dealt with: a thread, an issue, a commit.")
    note: str = Field(min_length=1, description="What is known of it, in a sentence.")

    @model_validator(mode="after")
    def _one_way_to_know_it(self) -> KnownIssue:
        if (self.signature is None) == (self.pattern is None):
            raise ValueError("write either signature (exactly) or pattern (with * and ?)")
        if not 0 < self.max_rate < 1:
            raise ValueError("max_rate must be above 0% and below 100%; a failure of every boot is no instability")
        return self

    @property
    def last_day(self) -> datetime.date:
        """Return the last day on which it is accepted."""
        return datetime.date.fromisoformat(self.expires)

    def is_named(self, signature: str) -> bool:
        """Tell whether a failure has this signature."""
        if self.pattern is not None:
            return fnmatch.fnmatchcase(signature, self.pattern)
        return signature == self.signature


@dataclass(frozen=True, slots=True)
class KnownIssues:
    """Hold the entries of one file; ``lines`` are where each stands."""

    file: str
    entries: tuple[KnownIssue, ...]
    lines: tuple[int, ...]

    def expired(self, today: datetime.date) -> list[str]:
        """Say of each entry that has expired where it stands and what to do."""
        return [
            f"{self.file}:{line}: the known issue {entry.id} expired on {entry.expires} and excuses nothing any more; "
            f"see {entry.link}, then remove it or give it a new day"
            for entry, line in zip(self.entries, self.lines, strict=True)
            if entry.last_day < today
        ]

    def valid(self, today: datetime.date) -> tuple[KnownIssue, ...]:
        """Return the entries that have not expired."""
        return tuple(entry for entry in self.entries if entry.last_day >= today)


def read_known_issues(path: Path) -> KnownIssues:
    """Read a file of known issues: a list of entries; an empty list is one too.

    :raise ScenarioError: with every problem, its line and column.
    :raise InputError: if the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    problems: list[Problem] = []
    tree = read_source(text, str(path), problems)
    entries: list[KnownIssue] = []
    lines: list[int] = []
    if tree is not None and not isinstance(tree, ListNode):
        mark = tree.mark if isinstance(tree, ScalarNode) else Mark(str(path), 1, 1)
        problems.append(mark.problem(f"known issues are a list, each entry of the form - id: …, not {describe(tree)}"))
    elif tree is not None:
        for item in tree.items:
            entry = validate(KnownIssue, item, f"known issue {len(lines) + 1}", problems)
            if entry is None:
                continue
            if entry.id in (other.id for other in entries):
                problems.append(item.mark.problem(f"the id {entry.id!r} is taken by another entry"))
            entries.append(entry)
            lines.append(item.mark.line or 1)
    if problems:
        raise ScenarioError(problems)
    return KnownIssues(str(path), tuple(entries), tuple(lines))
