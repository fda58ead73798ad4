"""Boot the VMPL model under the real QEMU, with a parser of its trace that shares nothing with harness/."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "guest_payloads" / "vmpl_model"
BOOT_DEADLINE_S = 60.0

EVENT_LINE = re.compile(
    r"^ +CPU-(?P<pid>1000\d) +\[00(?P<cpu>\d)\] d\.\.\.\. +(?P<seconds>\d+\.\d{6}): (?P<name>\w+): (?P<fields>.*)"
    r" seq=(?P<seq_cpu>\d):(?P<seq>\d+)$"
)


@dataclass(frozen=True, slots=True)
class Event:
    """Hold one trace line; ``step`` is the step it fell into, None outside every step."""

    cpu: int
    seconds: float
    name: str
    fields: str
    seq: int
    step: str | None = None

    @property
    def vcpu(self) -> int:
        found = re.match(r"vcpu (\d+)", self.fields)
        assert found, self
        return int(found[1])


@dataclass(frozen=True, slots=True)
class ModelBoot:
    """Hold what one boot left behind."""

    status: int | None
    """Exit status of QEMU; None: it had to be killed at the deadline."""
    console: str
    report: str
    trace: str
    events: list[Event] = field(default_factory=list)

    def select(self, name: str, step: str | None = None, contains: str = "") -> list[Event]:
        return [e for e in self.events if e.name == name and (step is None or e.step == step) and contains in e.fields]

    def switches(self, step: str) -> Counter[tuple[int, int, int]]:
        """Count roy's switch events by (vcpu, from, to)."""
        found: Counter[tuple[int, int, int]] = Counter()
        for event in self.select("kvm_arch_vcpu_ioctl_run_vtl_switch", step):
            numbers = re.fullmatch(r"vcpu (\d): current_vmpl (\d), target vtl (\d)", event.fields)
            assert numbers, event
            found[int(numbers[1]), int(numbers[2]), int(numbers[3])] += 1
        return found

    def irqs(self, step: str) -> dict[tuple[int, int], int]:
        """Return the guest's own counts of a step by (vector, cpu)."""
        return {
            (int(vector, 16), int(cpu)): int(count)
            for vector, cpu, count in re.findall(
                r"^# irq vector=(0x\w+) cpu=(\d) count=(\d+)$", self._diagnostics(step), re.MULTILINE
            )
        }

    def calls(self, step: str) -> dict[int, tuple[int, int, int]]:
        """Return the guest's own (made, answered, succeeded) of a step by CPU."""
        return {
            int(cpu): (int(made), int(answered), int(succeeded))
            for made, answered, succeeded, cpu in re.findall(
                r"^# calls made=(\d+) answered=(\d+) succeeded=(\d+) cpu=(\d)$", self._diagnostics(step), re.MULTILINE
            )
        }

    def results(self) -> dict[str, bool]:
        return {name: not bad for bad, name in re.findall(r"^(not )?ok \d+ (\S+)$", self.report, re.MULTILINE)}

    def _diagnostics(self, step: str) -> str:
        found = re.search(rf"((?:^# .*\n)*)^(?:not )?ok \d+ {re.escape(step)}$", self.report, re.MULTILINE)
        assert found, f"no test line for {step} in\n{self.report}"
        return found[1]


def parse_trace(text: str) -> list[Event]:
    """Put the lines of all CPUs on one axis and give each its step; a line of another form fails the test."""
    found = []
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        match = EVENT_LINE.match(line)
        assert match, f"not a trace line: {line!r}"
        assert match["cpu"] == match["seq_cpu"] == match["pid"][-1], line
        found.append(
            Event(int(match["cpu"]), float(match["seconds"]), match["name"], match["fields"], int(match["seq"]))
        )
    # The sort is stable, so the lines of one CPU keep their order within a microsecond.
    found.sort(key=lambda e: e.seconds)
    step: str | None = None
    stepped = []
    for event in found:
        mark = re.fullmatch(r"step=(\S+) (begin|end)", event.fields) if event.name == "vmpl_model_mark" else None
        if mark:
            step = mark[1] if mark[2] == "begin" else None
        stepped.append(Event(event.cpu, event.seconds, event.name, event.fields, event.seq, step))
    return stepped


def missing_lines(events: list[Event]) -> int:
    """Count the numbers that are missing from the sequences of all CPUs, and those the end line counts too many."""
    sequences: dict[int, list[int]] = {}
    for event in events:
        sequences.setdefault(event.cpu, []).append(event.seq)
    return sum(max(numbers) + 1 - len(set(numbers)) for numbers in sequences.values())


class _Qmp:
    # A few lines of QMP; qemu.qmp is the harness's and is not what is tested here.
    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(path))
        self._stream = self._socket.makefile("rw")
        self._stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: object) -> None:
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        while "event" in (answer := json.loads(self._stream.readline())):
            pass
        assert "return" in answer, answer

    def close(self) -> None:
        self._stream.close()
        self._socket.close()


def qemu_command(elf: Path, folder: Path, vcpus: int, append: str) -> list[str]:
    """Return the documented command line (guest_payloads/vmpl_model/README.md)."""
    # fmt: off
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config",
        "-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", str(vcpus), "-m", "64M",
        "-display", "none", "-no-reboot",
        "-kernel", str(elf), "-append", append,
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-chardev", f"file,id=report,path={folder / 'report'}", "-serial", "chardev:report",
        "-device", "virtio-serial-pci,max_ports=1",
        "-chardev", f"file,id=trace,path={folder / 'trace'}", "-device", "virtconsole,chardev=trace",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
        "-qmp", f"unix:{folder / 'qmp'},server=on,wait=off",
    ]
    # fmt: on


def _stimulate(line: str, qmp: _Qmp, keys: int | None) -> None:
    wanted = re.search(r"svsm-harness: awaiting (keyboard|nmi) (\d+)", line)
    if not wanted:
        return
    if wanted[1] == "nmi":
        qmp.execute("inject-nmi")
        return
    # A press and a release are two interrupts; a key after the other, or the 16 bytes of the keyboard overflow.
    for _ in range(int(wanted[2]) // 2 if keys is None else keys):
        qmp.execute("send-key", keys=[{"type": "qcode", "data": "a"}], **{"hold-time": 1})


def boot_model(
    elf: Path,
    folder: Path,
    vcpus: int,
    append: str,
    *,
    until: str | None = None,
    linger_s: float = 0.0,
    keys: int | None = None,
    deadline_s: float = BOOT_DEADLINE_S,
) -> ModelBoot:
    """Boot once; ``until``: quit ``linger_s`` after a console line with this text; ``keys``: how many to send."""
    folder.mkdir(parents=True, exist_ok=True)
    console = []
    qemu = subprocess.Popen(
        qemu_command(elf, folder, vcpus, append), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    late = threading.Event()

    def give_up() -> None:
        late.set()
        qemu.kill()

    timer = threading.Timer(deadline_s, give_up)
    timer.start()
    qmp: _Qmp | None = None
    ending: threading.Timer | None = None
    try:
        assert qemu.stdout
        for line in qemu.stdout:
            console.append(line)
            if "awaiting" in line:
                qmp = qmp or _Qmp(folder / "qmp")
                _stimulate(line, qmp, keys)
            if until is not None and until in line:
                qmp = qmp or _Qmp(folder / "qmp")
                ending = threading.Timer(linger_s, qmp.execute, ["quit"])
                ending.start()
        status = qemu.wait()
    finally:
        timer.cancel()
        if ending:
            ending.join()
        qemu.kill()
        qemu.wait()
        if qmp:
            qmp.close()
        if qemu.stdout:
            qemu.stdout.close()
    trace = (folder / "trace").read_text()
    # A QEMU that was killed may have cut a line.
    whole = trace[: trace.rfind("\n") + 1]
    return ModelBoot(
        None if late.is_set() else status,
        "".join(console),
        (folder / "report").read_text(),
        trace,
        parse_trace(whole),
    )


Boot = Callable[..., ModelBoot]
"""``boot(vcpus, append, …)`` as the fixture of that name gives it."""
