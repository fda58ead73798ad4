"""Ask every check of a snapshot, and add the findings up to a grade."""

from __future__ import annotations

from collections.abc import Sequence

from harness.doctor import cpu, firmware, flavour, guest, iommu, kernel, limits, qemu, tracing
from harness.doctor.finding import Answer, AskedOf, Check, Finding, Report, State
from harness.doctor.snapshot import HostSnapshot, Unreadable
from harness.scenario.model import Platform

__all__ = ["CHECKS", "judge"]

#: Every check, in the order of causes; one more check is one more entry in the table of its group.
CHECKS: tuple[Check, ...] = (
    *cpu.CHECKS,
    *firmware.CHECKS,
    *iommu.CHECKS,
    *kernel.CHECKS,
    *flavour.CHECKS,
    *qemu.CHECKS,
    *guest.CHECKS,
    *tracing.CHECKS,
    *limits.CHECKS,
)


def judge(snapshot: HostSnapshot, checks: Sequence[Check] = CHECKS) -> Report:
    """Return what the checks say of the snapshot.

    A grade is reached if no check that it depends on lacks something, and every check that decides it gave an answer.
    """
    kind = _kind(snapshot)
    findings = tuple(_find(check, snapshot, kind) for check in checks)
    blocked = {grade for finding in findings for grade in finding.blocks}
    # nocc is beside the ladder: it asks for an IGVM file, not for a better host.
    ladder = [grade for grade in Platform if grade is not Platform.NOCC]
    best = max((grade for grade in ladder if grade not in blocked), key=lambda grade: grade.rank, default=None)
    above = [grade for grade in ladder if best is None or grade.rank > best.rank]
    wanted = above[0] if above else None
    return Report(findings, best, wanted, None if wanted is None else _first(findings, wanted))


def _kind(snapshot: HostSnapshot) -> AskedOf:
    # Only what was seen to be missing narrows the questions.
    vendor = snapshot.cpu("vendor_id")
    if not isinstance(vendor, Unreadable) and vendor != "AuthenticAMD":
        return AskedOf.ANY
    leaf = snapshot.leaf(cpu.SEV_LEAF)
    if isinstance(leaf, Unreadable):
        return AskedOf.AMD if leaf.absent and not isinstance(snapshot.cpuid, Unreadable) else AskedOf.SNP
    return AskedOf.SNP if leaf.eax >> cpu.SNP_BIT & 1 else AskedOf.AMD


_NOT_ASKED = {AskedOf.ANY: "not asked: this is no AMD CPU", AskedOf.AMD: "not asked: this CPU has no SEV-SNP"}


def _find(check: Check, snapshot: HostSnapshot, kind: AskedOf) -> Finding:
    answer = Answer(State.SKIPPED, _NOT_ASKED[kind], "") if check.asked_of > kind else check.look(snapshot)
    # What was not asked decides nothing, and does not say that all is well.
    stops = answer.state is State.LACKS or (answer.state in (State.UNKNOWN, State.SKIPPED) and check.decides)
    wants_fix = answer.state in (State.LACKS, State.UNKNOWN)
    fix = answer.fix if answer.fix is not None else check.fix if wants_fix else ""
    grades = tuple(sorted(check.grades, key=lambda grade: grade.rank))
    return Finding(
        check.group, check.name, answer.state, answer.value, check.means, grades, grades if stops else (), fix
    )


def _first(findings: Sequence[Finding], grade: Platform) -> Finding:
    # What was seen to be missing comes before what could not be seen.
    blocking = [finding for finding in findings if grade in finding.blocks]
    return min(blocking, key=lambda finding: finding.state is not State.LACKS)
