from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import units


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("1B", 1),
        ("0B", 0),
        ("512M", 512 << 20),
        (" 512 M ", 512 << 20),
        ("512MB", 512 << 20),
        ("512MiB", 512 << 20),
        ("1.5G", 1536 << 20),
        ("2T", 2 << 40),
        ("0.25K", 256),
        ("999999999999999B", 999_999_999_999_999),
    ],
)
def test_sizes(text: str, size_bytes: int) -> None:
    assert units.parse_bytes(text) == size_bytes


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("512", "'512' has no unit; sizes take K, M, G or T, such as 512M"),
        ("512X", "'512X' has the unknown unit 'X'; sizes take K, M, G or T, such as 512M"),
        ("512m", "'512m' has the unknown unit 'm'; sizes take K, M, G or T, such as 512M"),
        ("512BiB", "'512BiB' has the unknown unit 'BiB'; sizes take K, M, G or T, such as 512M"),
        ("512iB", "'512iB' has the unknown unit 'iB'; sizes take K, M, G or T, such as 512M"),
        ("0.3K", "'0.3K' is not a whole number of bytes"),
        ("-1M", "'-1M' is no size; write a number and a unit, such as 512M or 2G"),
        ("", "'' is no size; write a number and a unit, such as 512M or 2G"),
        ("\u0665M", "'\u0665M' is no size; write a number and a unit, such as 512M or 2G"),
        ("9" * 400 + "M", f"'{'9' * 400}M' is no size; write a number and a unit, such as 512M or 2G"),
    ],
)
def test_what_is_no_size(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        units.parse_bytes(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("text", "duration_s"),
    [("60s", 60.0), ("500ms", 0.5), ("3ms", 0.003), ("2m", 120.0), ("2min", 120.0), ("1.5h", 5400.0), ("0s", 0.0)],
)
def test_durations(text: str, duration_s: float) -> None:
    assert units.parse_duration_s(text) == duration_s


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("60", "'60' has no unit; durations take ms, s, m or h, such as 60s"),
        ("60 secs", "'60 secs' has the unknown unit 'secs'; durations take ms, s, m or h, such as 60s"),
        ("soon", "'soon' is no duration; write a number and a unit, such as 60s or 500ms"),
        ("-1s", "'-1s' is no duration; write a number and a unit, such as 60s or 500ms"),
    ],
)
def test_what_is_no_duration(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        units.parse_duration_s(text)
    assert str(caught.value) == why


@pytest.mark.parametrize(
    ("text", "fraction"), [("5%", 0.05), ("0.1%", 0.001), ("7 %", 0.07), ("100%", 1.0), ("0%", 0.0)]
)
def test_rates(text: str, fraction: float) -> None:
    assert units.parse_rate(text) == fraction


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.05", "'0.05' is no percentage; write 5% for 0.05"),
        ("101%", "'101%' is more than 100%"),
        ("5 percent", "'5 percent' is no percentage; write 5% for 0.05"),
        ("few", "'few' is no rate; write a number and a unit, such as 5%"),
    ],
)
def test_what_is_no_rate(text: str, why: str) -> None:
    with pytest.raises(ValueError) as caught:
        units.parse_rate(text)
    assert str(caught.value) == why


@given(st.integers(0, 1 << 49))
def test_a_size_reads_back(size_bytes: int) -> None:
    assert units.parse_bytes(units.format_bytes(size_bytes)) == size_bytes


@given(st.floats(0, 1e14))
def test_a_duration_reads_back_exactly(duration_s: float) -> None:
    if duration_s == 0 or duration_s > 1e-250:
        assert units.parse_duration_s(units.exact_duration(duration_s)) == duration_s


@given(st.floats(1e-250, 1))
def test_a_rate_reads_back_exactly(fraction: float) -> None:
    assert units.parse_rate(units.exact_rate(fraction)) == fraction


@pytest.mark.parametrize(
    ("duration_s", "text"), [(60.0, "60s"), (0.5, "0.5s"), (1e-5, "0.00001s"), (90.25, "90.25s"), (0.0, "0s")]
)
def test_exact_durations(duration_s: float, text: str) -> None:
    assert units.exact_duration(duration_s) == text


@pytest.mark.parametrize(
    ("fraction", "text"), [(0.05, "5%"), (0.07, "7%"), (0.001, "0.1%"), (1.0, "100%"), (0.0, "0%")]
)
def test_exact_rates(fraction: float, text: str) -> None:
    assert units.exact_rate(fraction) == text


@pytest.mark.parametrize(
    ("size_bytes", "text"), [(0, "0B"), (3, "3B"), (512 << 20, "512M"), (1536 << 20, "1536M"), (1 << 40, "1T")]
)
def test_sizes_for_people(size_bytes: int, text: str) -> None:
    assert units.format_bytes(size_bytes) == text


@pytest.mark.parametrize(
    ("duration_s", "text"),
    [
        (0.0, "0 ms"),
        (0.045, "45 ms"),
        (0.9996, "1 s"),
        (4.614, "4.61 s"),
        (59.94, "59.9 s"),
        (59.96, "1 m 00 s"),
        (125.0, "2 m 05 s"),
        (3725.0, "1 h 02 m"),
    ],
)
def test_durations_for_people(duration_s: float, text: str) -> None:
    assert units.format_duration(duration_s) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0.0, "0%"),
        (0.0034, "0.34%"),
        (0.058, "5.8%"),
        (0.25, "25%"),
        (0.994, "99.4%"),
        (0.996, "99.6%"),
        (1.0, "100%"),
        (1e-7, "0.000010%"),
    ],
)
def test_rates_for_people(fraction: float, text: str) -> None:
    assert units.format_rate(fraction) == text


@given(st.floats(0, 1))
def test_a_rate_for_people_has_no_exponent(fraction: float) -> None:
    assert "e" not in units.format_rate(fraction)
