"""Say in words what each grade of evidence is, so that no reader takes one for another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.history.tally import rank_of
from harness.scenario.model import Platform

__all__ = ["HARDWARE", "MEANING", "caution", "ladder"]

#: What ran, by grade.
MEANING: Mapping[str, str] = {
    "model": "the VMPL model: a bare-metal payload plays KVM, SVSM and guest on emulated SVM",
    "nocc": "a real SVSM without SNP: no VMPL below it, no guest above it",
    "tcg": "a real Linux guest on an emulated CPU, without VMPLs",
    "kvm": "a real Linux guest under real KVM, without SNP",
    "snp": "SEV-SNP, without an SVSM",
    "svsm": "SEV-SNP with an SVSM at VMPL0",
}
#: The grades on which real SEV-SNP hardware ran.
HARDWARE = ("snp", "svsm")


def ladder() -> tuple[str, ...]:
    """Return all grades, the weakest first."""
    return tuple(str(platform) for platform in Platform)


def caution(grades: Sequence[str]) -> str:
    """Say what evidence of these grades cannot show; empty if real SNP with an SVSM is among them."""
    if "svsm" in grades:
        return ""
    best = max(grades, key=rank_of, default=None)
    if best is None:
        return "Nothing ran: there is no evidence of any grade."
    if best == "snp":
        return "No SVSM ran here: nothing on this page shows switches between VMPLs on real hardware."
    strongest = f"The strongest grade is {best}: {MEANING.get(best, 'unknown to this version')}."
    return f"No SEV-SNP hardware ran here. {strongest} A pass here is not a pass on SNP."
