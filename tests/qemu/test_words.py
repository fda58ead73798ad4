import pytest

from harness.qemu.words import escape, size


def test_a_comma_inside_a_value_is_doubled() -> None:
    assert escape("/a,b,c") == "/a,,b,,c"


@pytest.mark.parametrize(("count", "text"), [(1 << 20, "1M"), (8 << 30, "8192M"), ((1 << 20) + 1, "1048577B")])
def test_sizes_have_a_unit(count: int, text: str) -> None:
    assert size(count) == text
