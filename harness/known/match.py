"""Find the entry that a failed boot belongs to, if every failure of it is known."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.checks.base import Status
from harness.known.entries import KnownIssue, Scope
from harness.results.record import BootLine, BootRecord

__all__ = ["BootFeatures", "features_of", "in_scope", "issue_of", "signatures_of"]


@dataclass(frozen=True, slots=True)
class BootFeatures:
    """Hold what a scope can ask of a boot; None: not known, and then nothing that asks for it applies."""

    scenario: str
    variant: str
    platform: str
    flavour: str | None
    qemu: str | None
    kernel: str | None


def features_of(line: BootLine, record: BootRecord | None) -> BootFeatures:
    """Gather the features of a boot; ``record`` None: only its line is left."""
    identity = line.identity
    flavour = qemu = kernel = None
    if record is not None:
        qemu = record.qemu.partition(" ")[0] or None
        kernel = record.provenance.get("kernel", "").partition(" ")[0] or None
        payload = record.setting.get("payload")
        trace = payload.get("trace") if isinstance(payload, dict) else None
        named = record.provenance.get("flavour", trace)
        flavour = named if isinstance(named, str) and named != "none" else None
    return BootFeatures(identity.scenario, identity.variant, identity.platform, flavour, qemu, kernel)


def in_scope(scope: Scope, boot: BootFeatures) -> bool:
    """Tell whether ``scope`` is about the boot."""
    asked: Iterable[tuple[Sequence[str], str | None]] = (
        (scope.scenarios, boot.scenario),
        (scope.variants, boot.variant),
        ([str(platform) for platform in scope.platforms], boot.platform),
        (scope.flavours, boot.flavour),
        (scope.qemu, boot.qemu),
        (scope.kernel, boot.kernel),
    )
    return all(
        not patterns or (value is not None and any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns))
        for patterns, value in asked
    )


def signatures_of(line: BootLine) -> tuple[str, ...]:
    """Return what has to be known for the boot to be: how it ended, or else every check that failed.

    A guest that crashed fails whatever was expected of it later; those failures are the crash's.
    """
    failed = [verdict.check for verdict in line.verdicts if verdict.status is Status.FAIL]
    if line.outcome is not None and "outcome" in failed:
        return (line.outcome.signature,)
    return tuple(f"check: {check}" for check in failed) or ("no outcome",)


def issue_of(line: BootLine, boot: BootFeatures, issues: Sequence[KnownIssue]) -> KnownIssue | None:
    """Return the first entry that knows a failure of the boot; None if it did not fail, or one of them is unknown."""
    if line.status is not Status.FAIL:
        return None
    about = [issue for issue in issues if in_scope(issue.scope, boot)]
    found = [next((issue for issue in about if issue.is_named(signature)), None) for signature in signatures_of(line)]
    return None if None in found else found[0]
