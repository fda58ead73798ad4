"""Read ``/proc/interrupts``: how often each source interrupted each CPU.

Source of the format: Linux kernel ``kernel/irq/proc.c`` show_interrupts() for the numbered lines, ``arch/x86/kernel/
irq.c`` arch_show_interrupts() for the named ones (NMI, LOC, RES …), whose description follows the counts. ERR and MIS
have one count for the whole machine.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Change", "InterruptLine", "InterruptTable", "change", "parse_cpu_list", "parse_interrupts"]


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

        It is an IRQ as printed (``1``, ``NMI``), or one of the words behind the counts (``i8042``,
        ``virtio0-input.0``): whole words only, so that ``virtio1`` does not name ``virtio10``.
        """
        return tuple(line for line in self.lines if line.irq == source or source in _words(line.text))


@dataclass(frozen=True, slots=True)
class Change:
    """Say by how much one source's counts grew between two readings, by CPU number; a CPU gone offline has 0."""

    source: str
    by_cpu: tuple[tuple[int, int], ...]

    @property
    def total(self) -> int:
        """Sum over all CPUs."""
        return sum(count for _, count in self.by_cpu)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.replace(",", " ").split())


def parse_interrupts(text: str) -> InterruptTable:
    """Parse the text of ``/proc/interrupts``.

    :raise ValueError: if the header does not name the CPUs, or a line has fewer counts than the header has CPUs; a cut
        reading must not pass for a small count.
    """
    rows = text.splitlines()
    header = rows[0].split() if rows else []
    if not header or not all(word.startswith("CPU") and word[3:].isdigit() for word in header):
        raise ValueError("no CPU header in /proc/interrupts")
    cpus = tuple(int(word[3:]) for word in header)
    lines = []
    for row in rows[1:]:
        irq, colon, rest = row.partition(":")
        if not colon:
            raise ValueError(f"/proc/interrupts is cut at {row!r}")
        irq = irq.strip()
        words = rest.split(None, len(cpus))
        numbers = [int(word) for word in words[: len(cpus)] if word.isdigit()]
        if irq in {"ERR", "MIS"}:  # one count, no column of any CPU
            lines.append(InterruptLine(irq, tuple((cpus[0], number) for number in numbers), ""))
            continue
        if len(numbers) < len(cpus):
            raise ValueError(f"/proc/interrupts is cut at {row!r}")
        tail = words[len(cpus)].strip() if len(words) > len(cpus) else ""
        lines.append(InterruptLine(irq, tuple(zip(cpus, numbers, strict=True)), tail))
    return InterruptTable(cpus, tuple(lines))


def change(source: str, before: InterruptTable, after: InterruptTable) -> Change:
    """Subtract two readings of one source.

    :raise ValueError: if no line names the source, a count went down (the guest restarted between the readings), or a
        CPU came online in between with a count whose start nobody saw.
    """
    if not after.find(source):
        known = ", ".join(sorted({word for line in after.lines for word in (line.irq, *line.text.split()[-1:])}))
        raise ValueError(f"the guest has no interrupt source {source!r}; it has {known}")
    earlier: dict[int, int] = {}
    for line in before.find(source):
        for cpu, count in line.counts:
            earlier[cpu] = earlier.get(cpu, 0) + count
    later: dict[int, int] = {}
    for line in after.find(source):
        for cpu, count in line.counts:
            later[cpu] = later.get(cpu, 0) + count
    unseen = [cpu for cpu in after.cpus if cpu not in before.cpus and later.get(cpu)]
    if unseen:  # an offline CPU keeps its count but /proc/interrupts does not show it
        raise ValueError(
            f"CPU {unseen[0]} was offline at the first reading, so its count of {source!r} then is unknown"
        )
    by_cpu = tuple((cpu, later.get(cpu, earlier.get(cpu, 0)) - earlier.get(cpu, 0)) for cpu in sorted(later | earlier))
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
        cpus.extend(range(int(first), int(last) + 1) if dash else [int(first)])
    return tuple(cpus)
