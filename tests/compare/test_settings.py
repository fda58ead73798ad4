from __future__ import annotations

import pytest

from harness.compare.settings import read_settings
from harness.errors import InputError


def test_settings_have_labels_and_several_keys() -> None:
    a, b, c = read_settings(["-", "cx16: machine.cpu=max,-cx16; timeout=20s", "guest.append=a=b c"])
    assert (a.label, a.values, a.what) == ("A", {}, "as it is")
    assert (b.label, b.values) == ("cx16", {"machine.cpu": "max,-cx16", "timeout": "20s"})
    assert b.what == "machine.cpu=max,-cx16; timeout=20s"
    assert (c.label, c.values) == ("C", {"guest.append": "a=b c"})


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["machine.cpu=max"], "needs two settings"),
        ([], "needs two settings"),
        (["-"] * 27, "at most 26"),
        (["machine.cpu", "-"], "no KEY=VALUE"),
        (["=max", "-"], "no KEY=VALUE"),
        (["a=1; a=2", "-"], "a is given twice"),
        (["a=1", "a=1"], "are the same"),
        (["x: a=1", "x: a=2"], "called x"),
        (["B: a=1", "a=2"], "called B"),
    ],
)
def test_what_is_no_setting_is_refused(typed: list[str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_settings(typed)
