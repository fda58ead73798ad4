from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.scenario.base import Model
from harness.scenario.quantities import Bytes, DurationS, GuestPath, Rate, RegexText


class Fields(Model):
    size: Bytes = 1
    time: DurationS = 1.0
    rate: Rate = 0.5
    pattern: RegexText = ""
    path: GuestPath = "/"


def read(**given: object) -> Fields:
    return Fields.model_validate_json(json.dumps(given))


def test_text_with_units() -> None:
    made = read(size="1.5G", time="500ms", rate="5%", pattern="a+", path="/etc/x")
    assert (made.size, made.time, made.rate) == (1536 << 20, 0.5, 0.05)


@given(st.integers(1, 1 << 49), st.floats(1e-9, 1e9), st.floats(1e-12, 1))
def test_values_read_back_exactly(size: int, time: float, rate: float) -> None:
    made = Fields(size=size, time=time, rate=rate)
    assert Fields.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("size", 512, "512 has no unit; write the size with one, such as 512M or 2G"),
        ("size", "512", "'512' has no unit; sizes take K, M, G or T, such as 512M"),
        ("size", True, "a size is needed, such as 512M or 2G"),
        ("size", None, "a size is needed, such as 512M or 2G"),
        ("size", [], "a size is needed, such as 512M or 2G"),
        ("time", 1.5, "1.5 has no unit; write the duration with one, such as 60s or 500ms"),
        ("time", "0s", "must be more than nothing"),
        ("rate", 0.05, "0.05 has no unit; write the rate with one, such as 5%"),
        ("rate", "120%", "'120%' is more than 100%"),
        ("pattern", "a{2", None),
        ("pattern", "(", "'(' is no regular expression: missing ), unterminated subpattern at position 0"),
        ("pattern", "[[a]", "'[[a]' is no regular expression: Possible nested set at position 1"),
        ("pattern", "a{99999999999}", "'a{99999999999}' is no regular expression: the repetition number is too large"),
        ("path", "etc", "'etc' is no absolute path; a path in the guest starts with / and has no .."),
        ("path", "/a/../b", "'/a/../b' is no absolute path; a path in the guest starts with / and has no .."),
    ],
)
def test_what_is_refused(field: str, value: object, why: str | None) -> None:
    if why is None:
        assert read(**{field: value})
        return
    with pytest.raises(ValidationError) as caught:
        read(**{field: value})
    (error,) = caught.value.errors()
    assert error["msg"] == f"Value error, {why}"
