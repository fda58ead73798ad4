"""Decode ftrace text as a stream: the lines of ``trace``, ``trace_pipe``, ``trace-cmd report`` and the VMPL model.

Source of the line format: Linux kernel/trace/trace_output.c trace_print_context() (``%16s-%-7d``, then the TGID if
recorded, ``[%03d]``, the flags, the timestamp) and trace_print_lat_context() for the latency format. ``CPU:%d [LOST %lu
EVENTS]`` comes from print_trace_line() in kernel/trace/trace.c. The model adds ``seq=<vcpu>:<n>`` to each line.

The work per line is kept in C: one compiled expression reads the heads of a whole block of lines, and only blocks
with a line that does not fit are looked at line by line. Memory is bounded by the block, not by the trace.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import compress
from operator import is_
from typing import NamedTuple

from harness.evidence.integrity import ENDS, TRACE_END, TRACE_LIMIT, Flaw, FlawKind, Integrity, TimeUnit
from harness.evidence.trace_events import Fields, TraceEnd
from harness.evidence.trace_text import KNOWN_EVENTS, decode_text

__all__ = ["Decoder", "Record"]

_BLOCK_BYTES = 1 << 18
_MEMO_ENTRIES = 1 << 14


class Record(NamedTuple):
    """Hold one decoded event. ``at`` is in nanoseconds, or in counts where the trace clock is no time.

    ``line`` counts from 1; ``pid`` is the thread that hit the tracepoint, ``cpu`` the host CPU.
    """

    line: int
    at: int
    cpu: int
    pid: int
    event: str
    fields: Fields


_TEXT = rb"(\w+):[ ]*([\x20-\x7e\t]*)\r?$"
# What a kernel prints today: tried first because it is the fastest by a third. The task takes 16 columns.
_USUAL = re.compile(rb"^.{16}-(\d+) +\[(\d+)\] +[^ \n]{5} +(\d+\.\d+): " + _TEXT, re.MULTILINE)
# Other printers use fewer columns, and the TGID and the flags are options of the tracer.
_ANY = re.compile(
    rb"^(?:.{16}|.{0,48}?)-(\d+) +(?:\([ \d-]{0,16}\) +)?\[(\d+)\] +(?:[^ \n]{4,6} +)?(\d+(?:\.\d+)?): " + _TEXT,
    re.MULTILINE,
)
# CPU and flags run together; the sign behind "us" marks a delay.
_LATENCY = re.compile(rb"^(?:.{8}|.{0,48}?)-(\d+) +(\d{1,4}?)[^ \n]{4,6} +(\d+)us.: " + _TEXT, re.MULTILINE)
_FORMS = (_USUAL, _ANY, _LATENCY)
_LOST = re.compile(rb"CPU:(\d+) \[LOST (?:(\d+) )?EVENTS\]\r?")
# Headers, "##### CPU 1 buffer started ####", trace-cmd's "cpus=2", and empty lines.
_COMMENT = re.compile(rb"\s*(?:#.*|cpus=\d+\s*|version = \d+\s*)?")
_SEQUENCE = re.compile(rb"\bseq=(\d+):(\d+)\b")
_LEADING_SEQUENCE = re.compile(r"^seq=\d+:\d+,?\s+")
_BINARY = re.compile(rb"[^\x20-\x7e\t\r]")

_Head = tuple[bytes, bytes, bytes, bytes, bytes]
# Skips the checks of Record(): the tuples are built a few lines away.
_make_record = partial(tuple.__new__, Record)


# Some lines of the trace, as columns of equal length, and where they came from.
class _Block(NamedTuple):
    raw: bytes
    first_line: int
    first_offset: int
    lines: Sequence[int]
    cpus: tuple[bytes, ...]
    stamps: tuple[bytes, ...]
    texts: tuple[bytes, ...]

    def offset(self, line: int) -> int:
        at = 0
        for _ in range(line - self.first_line):
            at = self.raw.find(b"\n", at) + 1
        return self.first_offset + at


class Decoder:
    """Turn chunks of a trace into records of the wanted events, and account for all other lines.

    Feed any pieces of the bytes to :meth:`feed`, then call :meth:`finish`; or run :meth:`records` over all of them.
    No input raises. :meth:`integrity` can be asked at any time, and is final after :meth:`finish`.
    """

    def __init__(self, wanted: Iterable[str]) -> None:
        """Take the names of the events to decode; all others are only counted."""
        self._wanted_names = {name.encode(): name for name in (*wanted, *ENDS)}
        self._wanted = frozenset(self._wanted_names)
        self._rest = b""
        self._form = _USUAL
        self._memo: dict[tuple[bytes, bytes], Fields] = {}
        self._header = ""
        self._names: Counter[bytes] = Counter()
        self._flaws: dict[FlawKind, Flaw] = {}
        self._lines = self._comments = self._lost_lines = self._damaged = self._decoded = 0
        self._offset = 0
        self._unit = TimeUnit.NONE
        self._last_at: dict[bytes, tuple[int, bytes]] = {}
        self._last: tuple[int, bytes] = (0, b"")
        self._sequence: dict[bytes, int] = {}
        self._numbered = 0
        self._end: tuple[str, int, int] | None = None

    def records(self, chunks: Iterable[bytes]) -> Iterator[Record]:
        """Decode a whole trace, lazily."""
        for chunk in chunks:
            for start in range(0, len(chunk), _BLOCK_BYTES):
                yield from self._feed(chunk[start : start + _BLOCK_BYTES])
        self.finish()

    def feed(self, chunk: bytes) -> list[Record]:
        """Return the wanted records of all lines that are complete by now."""
        records: list[Record] = []
        for start in range(0, len(chunk), _BLOCK_BYTES):
            records += self._feed(chunk[start : start + _BLOCK_BYTES])
        return records

    def finish(self) -> Integrity:
        """End the trace: a last line without its end is damaged, as it may be a part of one."""
        if self._rest:
            self._lines += 1
            self._damaged += 1
            self._flaw(FlawKind.UNTERMINATED, self._lines, self._offset, self._rest)
            self._offset += len(self._rest)
            self._rest = b""
        if self._numbered and self._end is None:
            self._flaw(FlawKind.NO_END, None, None, b"", lost=None)
        if self._end is not None:
            name, said, line = self._end
            came = sum(self._names.values()) - 1  # the last line does not count itself
            if name == TRACE_LIMIT:
                self._flaw(FlawKind.LIMIT, line, None, b"after %d lines" % said, lost=None)
            elif said != came:
                self._flaw(FlawKind.END_DISAGREES, line, None, b"it says %d, %d came" % (said, came), lost=None)
        return self.integrity()

    def integrity(self) -> Integrity:
        """Account for all lines so far."""
        names = [(name.decode(), count) for name, count in self._names.most_common()]
        return Integrity(
            size_bytes=self._offset,
            lines=self._lines,
            comments=self._comments,
            events=sum(self._names.values()),
            lost_lines=self._lost_lines,
            damaged_lines=self._damaged,
            decoded=self._decoded,
            by_name=tuple(names),
            unknown=tuple((name, count) for name, count in names if name not in KNOWN_EVENTS),
            flaws=tuple(self._flaws.values()),
            unit=self._unit,
            numbered=self._numbered > 0,
            ended=self._end is not None and self._end[0] == TRACE_END,
            header=self._header,
        )

    def _flaw(self, kind: FlawKind, line: int | None, offset: int | None, sample: bytes, lost: int | None = 0) -> None:
        old = self._flaws.get(kind)
        if old is None:
            text = sample[:120].decode("ascii", "backslashreplace").rstrip()
            self._flaws[kind] = Flaw(kind, 1, line, offset, text, lost)
            return
        total = None if lost is None or old.lost is None else old.lost + lost
        self._flaws[kind] = Flaw(kind, old.count + 1, old.line, old.offset_bytes, old.sample, total)

    def _feed(self, piece: bytes) -> Iterable[Record]:
        raw = self._rest + piece
        end = raw.rfind(b"\n") + 1
        if not end and len(raw) > _BLOCK_BYTES:
            end = len(raw)  # noise without line ends must not pile up
        self._rest = raw[end:]
        return self._decode(raw[:end]) if end else ()

    def _decode(self, raw: bytes) -> Iterable[Record]:
        first_line, first_offset = self._lines + 1, self._offset
        heads: list[_Head] = self._form.findall(raw)
        count = raw.count(b"\n")
        lines: Sequence[int] = range(first_line, first_line + count)
        if len(heads) != count or not raw.endswith(b"\n"):
            heads, lines, count = self._line_by_line(raw)
        self._lines += count
        self._offset += len(raw)
        if not heads:
            return ()
        pids, cpus, stamps, names, texts = zip(*heads, strict=True)
        self._names.update(names)
        if b"." in stamps[-1]:
            self._unit = TimeUnit.SECONDS
        elif self._unit is TimeUnit.NONE:
            self._unit = TimeUnit.MICROSECONDS if self._form is _LATENCY else TimeUnit.COUNT
        block = _Block(raw, first_line, first_offset, lines, cpus, stamps, texts)
        self._check_time(block)
        if self._numbered or b"seq=" in raw:
            self._check_sequence(block)
            texts = tuple(text.rpartition(b" seq=")[0] or text for text in texts)
        chosen = list(map(self._wanted.__contains__, names))
        if not any(chosen):
            return ()
        if not all(chosen):
            pids, cpus, stamps, names, texts, lines = (
                tuple(compress(column, chosen)) for column in (pids, cpus, stamps, names, texts, lines)
            )
        fields = list(map(self._memo.get, zip(names, texts, strict=True)))
        self._decoded += len(fields)
        if None in fields:
            for index, known in enumerate(fields):
                if known is None:
                    fields[index] = self._fields(names[index], texts[index], lines[index], block)
        columns = zip(
            lines,
            self._times(stamps),
            map(_ints(cpus).__getitem__, cpus),
            map(_ints(pids).__getitem__, pids),
            map(self._wanted_names.__getitem__, names),
            fields,
            strict=True,
        )
        return map(_make_record, columns if None not in fields else (row for row in columns if row[5] is not None))

    # Returns the heads, their line numbers, and how many lines there were.
    def _line_by_line(self, raw: bytes) -> tuple[list[_Head], list[int], int]:
        heads: list[_Head] = []
        numbers: list[int] = []
        lines = raw.split(b"\n")
        if not lines[-1]:
            lines.pop()
        offset = self._offset
        for number, line in enumerate(lines, self._lines + 1):
            form = next((form for form in (self._form, *_FORMS) if form.match(line)), None)
            if form is not None:
                # Trust the newest line: a trace is printed in one form, but the first line may be an odd one.
                self._form = form
                heads += form.findall(line)
                numbers.append(number)
            elif _COMMENT.fullmatch(line):
                self._comments += 1
                if line.startswith(b"# vmpl_model "):
                    self._header = line[2:].decode("ascii", "backslashreplace").strip()
            elif (lost := _LOST.fullmatch(line)) is not None:
                self._lost_lines += 1
                self._flaw(FlawKind.LOST_EVENTS, number, offset, line, lost=int(lost[2]) if lost[2] else None)
            else:
                self._damaged += 1
                kind = FlawKind.NOISE if _BINARY.search(line) else FlawKind.NOT_AN_EVENT
                self._flaw(kind, number, offset, line, lost=None)
            offset += len(line) + 1
        return heads, numbers, len(lines)

    def _check_time(self, block: _Block) -> None:
        stamps = block.stamps
        # Digits of equal length sort as numbers do; a pair with the length in front always does.
        if len(set(map(len, stamps))) == 1 and (len(stamps[0]), stamps[0]) >= self._last:
            ordered = sorted(stamps)  # linear where it is sorted already
            if ordered[0] is stamps[0] and all(map(is_, ordered, stamps)):
                self._last = (len(stamps[-1]), stamps[-1])
                for cpu, stamp in dict(zip(block.cpus, stamps, strict=True)).items():
                    self._last_at[cpu] = (len(stamp), stamp)
                return
        for line, cpu, stamp in zip(block.lines, block.cpus, stamps, strict=True):
            key = (len(stamp), stamp)
            if key < self._last:
                backwards = key < self._last_at.get(cpu, key)
                kind = FlawKind.BACKWARDS if backwards else FlawKind.OUT_OF_ORDER
                self._flaw_at(kind, block, line, stamp + b" after " + self._last[1])
            self._last = self._last_at[cpu] = key

    def _check_sequence(self, block: _Block) -> None:
        found: list[tuple[bytes, bytes]] = _SEQUENCE.findall(b"\n".join(block.texts))
        self._numbered += len(found)
        sequence = dict(self._sequence)
        by_vcpu: dict[bytes, list[int]] = {}
        for vcpu, text in found:
            by_vcpu.setdefault(vcpu, []).append(int(text))
        good = len(found) == len(block.texts)
        for vcpu, values in by_vcpu.items():
            before = _before(self._sequence, vcpu, values[0])
            self._sequence[vcpu] = values[-1]
            good &= values == list(range(before + 1, before + 1 + len(values)))
        if not good and self._numbered:
            self._explain_sequence(block, sequence)

    def _explain_sequence(self, block: _Block, sequence: dict[bytes, int]) -> None:
        for line, text in zip(block.lines, block.texts, strict=True):
            match = _SEQUENCE.search(text)
            if match is None:
                self._flaw_at(FlawKind.UNNUMBERED, block, line, text)
                continue
            vcpu, number = match[1], int(match[2])
            before = _before(sequence, vcpu, number)
            sequence[vcpu] = number
            if number != before + 1:
                kind = FlawKind.SEQUENCE_JUMP if number > before else FlawKind.SEQUENCE_REPEATS
                said = b"vCPU %b: %d after %d" % (vcpu, number, before)
                self._flaw_at(kind, block, line, said, lost=max(0, number - before - 1))

    def _flaw_at(self, kind: FlawKind, block: _Block, line: int, sample: bytes, lost: int | None = 0) -> None:
        self._flaw(kind, line, None if kind in self._flaws else block.offset(line), sample, lost)

    # Decodes a text that is not in the memo; equal texts come often, as an SNP guest has no readable RIP.
    def _fields(self, name: bytes, text: bytes, line: int, block: _Block) -> Fields | None:
        decoded = decode_text(name.decode(), _LEADING_SEQUENCE.sub("", text.decode("ascii")))
        if decoded is None or not decoded.familiar:
            kind = FlawKind.UNDECODABLE if decoded is None else FlawKind.UNFAMILIAR
            self._flaw_at(kind, block, line, name + b": " + text)
        if decoded is None:
            self._decoded -= 1
            return None
        if isinstance(decoded.fields, TraceEnd):
            self._end = (name.decode(), decoded.fields.lines, line)
        elif decoded.familiar:
            if len(self._memo) >= _MEMO_ENTRIES:
                self._memo.clear()
            self._memo[(name, text)] = decoded.fields
        return decoded.fields

    def _times(self, stamps: Sequence[bytes]) -> Iterable[int]:
        if all(stamp[-7:-6] == b"." for stamp in stamps):
            return [whole * 1000 for whole in map(int, b" ".join(stamps).replace(b".", b"").split())]
        scale = 1000 if self._unit is TimeUnit.MICROSECONDS else 1
        parts = (stamp.partition(b".") for stamp in stamps)
        # A cut number has no point among others that have one; it must not stop the rest.
        return [int(a + b.ljust(9, b"0")[:9]) if point else int(a) * scale for a, point, b in parts]


# A vCPU counts from 0 or from 1; lines are missing if the first number is any other.
def _before(sequence: dict[bytes, int], vcpu: bytes, first: int) -> int:
    return sequence.get(vcpu, first - 1 if first in (0, 1) else -1)


def _ints(column: Sequence[bytes]) -> dict[bytes, int]:
    return {digits: int(digits) for digits in set(column)}
