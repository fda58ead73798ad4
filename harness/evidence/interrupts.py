"""Read ``/proc/interrupts``: how often each source interrupted each CPU.

Source of the format: Linux kernel ``kernel/irq/proc.c`` show_interrupts() for the numbered lines, ``arch/x86/kernel/
irq.c`` arch_show_interrupts() for the named ones (NMI, LOC, RES …), whose description follows the counts. ERR and MIS
have one count for the whole machine, which is kept under CPU 0.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Change", "InterruptLine", "InterruptTable", "change", "parse_cpu_list", "parse_interrupts"]


_MACHINE_WIDE = frozenset({"ERR", "MIS"})


@dataclass(frozen=True, slots=True)
class InterruptLine:
    """Hold one line: ``irq`` as printed (``1``, ``NMI``), counts by CPU number, and the text behind them."""

    irq: str
    counts: tuple[tuple[int, int], ...]
    text: str

    @property
    def total(self) -> int:
        """Sum over all CPUs."""
        return sum(count for _, count in self.counts)


@dataclass(frozen=True, slots=True)
class InterruptTable:
    """Hold all lines of one reading; ``cpus`` are the CPUs that had a column, that is, those online."""

    cpus: tuple[int, ...]
    lines: tuple[InterruptLine, ...]

    def find(self, source: str) -> tuple[InterruptLine, ...]:
        """Return the lines that ``source`` names.

        It is an IRQ as printed (``1``, ``NMI``), or one of the words behind the counts of a numbered line (``i8042``,
        ``virtio0-input.0``): whole words only, so that ``virtio1`` does not name ``virtio10``. What follows a named
        line's counts is prose: ``timer`` is IRQ 0 and not LOC, the "Local timer interrupts".
        """
        return tuple(line for line in self.lines if line.irq == source or source in _names(line))


@dataclass(frozen=True, slots=True)
class Change:
    """Say by how much one source's counts grew between two readings, by CPU number."""

    source: str
    by_cpu: tuple[tuple[int, int], ...]

    @property
    def total(self) -> int:
        """Sum over all CPUs."""
        return sum(count for _, count in self.by_cpu)


def _names(line: InterruptLine) -> tuple[str, ...]:
    # Shared lines name each device: "virtio0, i8042".
    return tuple(line.text.replace(",", " ").split()) if line.irq.isdecimal() else ()


def parse_interrupts(text: str) -> InterruptTable:
    """Parse the text of ``/proc/interrupts``.

    :raise ValueError: if the header does not name the CPUs, a line has fewer counts than the header has CPUs, or the
        last line does not end; a cut reading must not pass for a small count.
    """
    rows = text.splitlines()
    if not text.endswith("\n"):
        raise ValueError(f"/proc/interrupts is cut at {rows[-1] if rows else 'its beginning'!r}")
    header = rows[0].split() if rows else []
    if not header or not all(word.startswith("CPU") and word[3:].isdecimal() for word in header):
        raise ValueError("no CPU header in /proc/interrupts")
    cpus = tuple(int(word[3:]) for word in header)
    lines = []
    for row in rows[1:]:
        irq, colon, rest = row.partition(":")
        if not colon:
            raise ValueError(f"/proc/interrupts is cut at {row!r}")
        irq = irq.strip()
        words = rest.split(None, len(cpus))
        numbers = [int(word) for word in words[: len(cpus)] if word.isdecimal()]
        machine_wide = irq in _MACHINE_WIDE
        if len(numbers) < (1 if machine_wide else len(cpus)):
            raise ValueError(f"/proc/interrupts is cut at {row!r}")
        if machine_wide:
            # Always the same key, so that the count does not seem to move when the first column goes offline.
            lines.append(InterruptLine(irq, ((0, numbers[0]),), ""))
            continue
        tail = words[len(cpus)].strip() if len(words) > len(cpus) else ""
        lines.append(InterruptLine(irq, tuple(zip(cpus, numbers, strict=True)), tail))
    return InterruptTable(cpus, tuple(lines))


def change(source: str, before: InterruptTable, after: InterruptTable) -> Change:
    """Subtract two readings of one source.

    :raise ValueError: if no line names the source, a count went down (the guest restarted between the readings), a
        CPU came online in between with a count whose start nobody saw, or one went offline with its count.
    """
    if not after.find(source):
        known = ", ".join(sorted({word for line in after.lines for word in (line.irq, *_names(line)[-1:])}))
        raise ValueError(f"the guest has no interrupt source {source!r}; it has {known}")
    earlier: dict[int, int] = {}
    for line in before.find(source):
        for cpu, count in line.counts:
            earlier[cpu] = earlier.get(cpu, 0) + count
    later: dict[int, int] = {}
    for line in after.find(source):
        for cpu, count in line.counts:
            later[cpu] = later.get(cpu, 0) + count
    # An offline CPU keeps its count, but /proc/interrupts does not show it.
    for cpu in () if source in _MACHINE_WIDE else sorted({*before.cpus, *after.cpus}):
        if cpu not in after.cpus:
            raise ValueError(f"CPU {cpu} was offline at the second reading, so its count of {source!r} then is unknown")
        if cpu not in before.cpus and later.get(cpu):
            raise ValueError(f"CPU {cpu} was offline at the first reading, so its count of {source!r} then is unknown")
    by_cpu = tuple((cpu, later.get(cpu, 0) - earlier.get(cpu, 0)) for cpu in sorted(later | earlier))
    if any(count < 0 for _, count in by_cpu):
        raise ValueError(f"counts of {source!r} went down: the readings are not of one boot")
    return Change(source, by_cpu)


def parse_cpu_list(text: str) -> tuple[int, ...]:
    """Parse a CPU list such as ``0-2,5`` (``/sys/devices/system/cpu/online``).

    :raise ValueError: if it is none.
    """
    cpus: list[int] = []
    for part in text.strip().split(","):
        first, dash, last = part.partition("-")
        span = range(int(first), int(last if dash else first) + 1)
        if not span:
            raise ValueError(f"{part!r} is no span of CPUs")
        cpus.extend(span)
    return tuple(cpus)
