"""Read the corpus: logs with what they must be taken for.

A log has headers, an empty line, and the raw bytes of a console (under ``qemu/``: of QEMU's standard error).
``KIND`` and ``SIGNATURE`` are what is expected, ``PHASE`` too where it matters; ``END`` says how the boot ended apart
from the text: ``gave-up`` (the default), ``ready``, ``reset``, ``lost``, or ``status N``, with ``debug-exit`` behind it
for a machine that has isa-debug-exit. Logs with the same name before the first dot are boots of one fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sample_facts import event

from harness.evidence.records import BootFacts, Chunk, QemuEnd
from harness.evidence.startup import find_marks

CORPUS = Path(__file__).with_name("corpus")
LOGS = sorted(CORPUS.rglob("*.log"))


@dataclass(frozen=True, slots=True)
class Log:
    path: Path
    headers: dict[str, str]
    raw: bytes

    def facts(self) -> BootFacts:
        """Make the least facts of a boot that ended so and said this."""
        end = self.headers.get("END", "gave-up").split()
        status = int(end[1]) if end[0] == "status" else None
        console, stderr = (
            (b"", self.raw.decode(errors="replace")) if self.path.parent.name == "qemu" else (self.raw, "")
        )
        return BootFacts(
            platform="tcg",
            vcpus=2,
            marks=find_marks("console", console, (Chunk(len(console), 1.0),)),
            steps=(),
            samples=(),
            events=(event("SHUTDOWN", 7.0, reason="guest-reset"),) if end[0] == "reset" else (),
            console=console,
            stderr=stderr,
            losses=(),
            ready_s=4.2 if end[0] == "ready" else None,
            gave_up_s=57.0 if end[0] == "gave-up" else None,
            qemu_end=None if status is None else QemuEnd(status, asked=False),
            debug_exit="debug-exit" in end,
        )


def read_log(path: Path) -> Log:
    head, _, raw = path.read_bytes().partition(b"\n\n")
    headers = dict(line.split(": ", 1) for line in head.decode().splitlines() if line)
    return Log(path, headers, raw)


def write_log(log: Log, headers: dict[str, str]) -> None:
    head = "".join(f"{key}: {value}\n" for key, value in headers.items())
    log.path.write_bytes(head.encode() + b"\n" + log.raw)
