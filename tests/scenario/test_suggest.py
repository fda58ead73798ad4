from __future__ import annotations

import pytest

from harness.scenario import Platform
from harness.scenario.suggest import did_you_mean


@pytest.mark.parametrize(
    ("word", "said"),
    [("memroy", " (did you mean 'memory'?)"), ("MEMORY", " (did you mean 'memory'?)"), ("zebra", ""), ("", "")],
)
def test_did_you_mean(word: str, said: str) -> None:
    assert did_you_mean(word, ["memory", "type"]) == said


def test_an_enumeration_is_shown_as_text() -> None:
    assert did_you_mean("kwm", Platform) == " (did you mean 'kvm'?)"
