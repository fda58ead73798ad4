from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from harness.evidence.lines import LONGEST_LINE_BYTES, cut_lines


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_chunk_boundaries_change_nothing(data: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert list(cut_lines(pieces)) == list(cut_lines([data]))


def test_only_the_last_line_can_lack_its_end() -> None:
    assert list(cut_lines([b"a\r\nb\n\nc"])) == [(b"a", True), (b"b", True), (b"", True), (b"c", False)]


def test_an_endless_line_does_not_fill_the_memory() -> None:
    lines = list(cut_lines([b"x" * 1000] * 200))
    assert [len(line) for line, _ in lines] == [LONGEST_LINE_BYTES] * 3 + [200_000 - 3 * LONGEST_LINE_BYTES]
