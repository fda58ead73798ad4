"""Cut a stream of bytes into lines, wherever the chunks happen to end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

__all__ = ["LONGEST_LINE_BYTES", "cut_lines"]

# A line that never ends (noise, a dead port) must not fill the memory.
LONGEST_LINE_BYTES = 65536


def cut_lines(chunks: Iterable[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Yield each line without its line end, and whether it had one.

    ``\\r\\n`` (a serial port) counts as a line end too. Only the last line can be without an end. A line above
    :data:`LONGEST_LINE_BYTES` is handed out in pieces that count as ended, so that memory stays bounded.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r"), True
        while len(rest) > LONGEST_LINE_BYTES:
            yield rest[:LONGEST_LINE_BYTES], True
            rest = rest[LONGEST_LINE_BYTES:]
    if rest:
        yield rest, False
