from __future__ import annotations

import pytest

from harness.checks.base import Status, Verdict
from harness.regress.boots import counts_as, failure_signature
from harness.results.record import BootIdentity, BootLine


def _line(status: Status, check: str = "startup") -> BootLine:
    identity = BootIdentity("s", "s", "s", "s.yaml", "model")
    verdicts = (Verdict(check, status, "why"),) if status is Status.FAIL else ()
    return BootLine(identity, "boots/0001", status, "why", verdicts, None, 1.0)


@pytest.mark.parametrize(
    ("status", "signatures", "counts"),
    [
        (Status.PASS, (), "good"),
        (Status.FAIL, (), "bad"),
        (Status.FAIL, ("startup",), "bad"),
        (Status.FAIL, ("panic",), "other"),
        (Status.FAIL, ("panic", "startup"), "bad"),
        (Status.INCONCLUSIVE, (), "other"),
        (Status.ERROR, (), "other"),
        (Status.UNSUPPORTED, (), "other"),
    ],
)
def test_how_a_boot_counts(status: Status, signatures: tuple[str, ...], counts: str) -> None:
    assert counts_as(_line(status), signatures) == counts


def test_signatures() -> None:
    assert failure_signature(_line(Status.PASS)) is None
    assert failure_signature(_line(Status.FAIL)) == "check: startup"
    assert failure_signature(_line(Status.ERROR)) == "ERROR: why"
