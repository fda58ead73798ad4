from __future__ import annotations

from dataclasses import replace

import pytest
from results.sample_record import RECORD
from sample_campaign import boot_line

from harness.checks.base import Status, Verdict
from harness.known.entries import Scope
from harness.known.match import features_of, in_scope, issue_of, signatures_of

from .sample_issues import issue

BAD = boot_line(1, Status.FAIL)
BOOT = features_of(
    BAD, replace(RECORD, provenance={"kernel": "6.12.3 sha256:1"}, setting={"payload": {"trace": "roy"}})
)


def test_features_come_from_the_record() -> None:
    assert (BOOT.qemu, BOOT.kernel, BOOT.flavour) == ("7.2.22", "6.12.3", "roy")
    assert features_of(BAD, None).qemu is None


@pytest.mark.parametrize(
    ("scope", "applies"),
    [
        ({}, True),
        ({"scenarios": ("s",)}, True),
        ({"scenarios": ("t", "u")}, False),
        ({"variants": ("s[[]v=*",)}, True),
        ({"platforms": ("model",)}, True),
        ({"platforms": ("snp",)}, False),
        ({"flavours": ("roy",), "qemu": ("7.*",), "kernel": ("6.12.*",)}, True),
        ({"qemu": ("7.*",), "kernel": ("6.1.*",)}, False),
    ],
)
def test_a_scope_asks_for_all_that_it_names(scope: dict[str, object], applies: bool) -> None:
    assert in_scope(Scope.model_validate(scope, strict=False), BOOT) is applies


def test_what_is_not_known_of_a_boot_is_not_excused() -> None:
    assert not in_scope(Scope(qemu=("*",)), features_of(BAD, None))


def test_a_crash_explains_the_checks_that_fail_with_it() -> None:
    line = replace(BAD, verdicts=(*BAD.verdicts, Verdict("startup", Status.FAIL, "late")))
    assert signatures_of(line) == ("guest-panic: x",)
    assert issue_of(line, BOOT, [issue()]) is not None


def test_every_check_that_failed_by_itself_must_be_known() -> None:
    line = boot_line(1, Status.FAIL, check="startup")
    known = issue(signature="check: startup")
    assert issue_of(line, BOOT, [known]) is known
    two = replace(line, verdicts=(*line.verdicts, Verdict("interrupts", Status.FAIL, "lost")))
    assert issue_of(two, BOOT, [known]) is None
    assert issue_of(two, BOOT, [known, issue(signature="check: interrupts")]) is known


@pytest.mark.parametrize(
    ("line", "entries"),
    [
        (boot_line(1), [issue()]),
        (boot_line(1, Status.INCONCLUSIVE), [issue()]),
        (boot_line(1, Status.FAIL, "guest-panic: y"), [issue()]),
        (BAD, [issue(scope=Scope(scenarios=("other",)))]),
        (BAD, []),
    ],
)
def test_anything_else_is_not_known(line: object, entries: list[object]) -> None:
    assert issue_of(line, BOOT, entries) is None  # type: ignore[arg-type]
