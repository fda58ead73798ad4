from __future__ import annotations

import pytest

from harness.report.grades import HARDWARE, MEANING, caution, ladder
from harness.scenario.model import Platform


def test_every_grade_has_a_meaning() -> None:
    assert set(MEANING) == set(ladder()) == set(map(str, Platform))
    assert set(HARDWARE) <= set(ladder())


@pytest.mark.parametrize(
    ("grades", "said"),
    [
        ([], "no evidence of any grade"),
        (["model"], "strongest grade is model"),
        (["model", "tcg"], "strongest grade is tcg"),
        (["kvm", "tcg"], "A pass here is not a pass on SNP"),
        (["snp"], "No SVSM ran here"),
    ],
)
def test_what_the_evidence_cannot_show(grades: list[str], said: str) -> None:
    assert said in caution(grades)


def test_real_hardware_needs_no_caution() -> None:
    assert caution(["model", "svsm"]) == ""
