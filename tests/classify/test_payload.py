from __future__ import annotations

import pytest

from harness.classify.payload import meaning_of, termination


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (33, "every test passed"),
        (35, "a test failed, or an SVSM test build panicked"),
        (0, None),
        (1, None),
        (36, None),
    ],
)
def test_what_a_status_means(status: int, meaning: str | None) -> None:
    assert meaning_of(status) == meaning


@pytest.mark.parametrize(
    ("asked", "meaning"), [((0, 1), "GHCB protocol version not supported"), ((1, 3), "not at VMPL0"), ((15, 1), None)]
)
def test_what_a_request_for_termination_means(asked: tuple[int, int], meaning: str | None) -> None:
    assert termination(*asked) == meaning
