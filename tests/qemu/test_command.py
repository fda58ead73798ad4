"""Command lines against golden files: every word is there on purpose, so every change of one must show."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.errors import InputError
from harness.qemu.command import Accel, Guest, QemuCommand, Stream, Wiring, build_command, default_cpu, streams_of
from harness.scenario.model import Machine, Payload

GOLDEN = Path(__file__).parent / "golden"
LINUX = Guest("/boot/vmlinuz", "console=ttyS0 panic=-1", "/proc/self/fd/9", ssh=True)
BARE = Guest("/cache/vmpl_model.elf", "vcpus=2 step=all")


@dataclass(frozen=True)
class Case:
    machine: Mapping[str, object] = field(default_factory=dict)
    guest: Guest = LINUX
    accel: Accel = Accel.TCG
    version: tuple[int, ...] = (7, 2, 22)
    payload: Payload | None = None
    by_hand: bool = False


CASES = {
    "q35-1": Case(),
    "q35-4": Case({"vcpus": 4, "memory": "2G"}),
    "microvm-1": Case({"type": "microvm"}),
    "microvm-4-rng": Case({"type": "microvm", "vcpus": 4, "rng": True}),
    "q35-rng": Case({"rng": True}),
    "kvm-split": Case({"vcpus": 4, "irqchip": "split"}, accel=Accel.KVM),
    "kvm-named-cpu": Case({"cpu": "EPYC-v4,-x2apic"}, accel=Accel.KVM),
    "tcg-qemu-10": Case(version=(10, 0, 2)),
    "no-network": Case({"network": False}, guest=Guest("/boot/vmlinuz", "", "/proc/self/fd/9")),
    "devices-and-options": Case(
        {"devices": ("virtio-rng-pci,id=rng0", "edu"), "options": ("-d", "int,cpu_reset", "-D", "/tmp/a, b")}
    ),
    "odd-memory": Case({"memory": (100 << 20) + 4096}),
    "firmware": Case({"firmware": "/usr/share/OVMF/a,b c.fd"}),
    "payload-plain": Case(
        guest=BARE, payload=Payload(image="vmpl_model", report_port="none", reports="none"), machine={"vcpus": 2}
    ),
    "payload-all": Case(guest=BARE, payload=Payload(image="vmpl_model", debug_exit=True, trace="tom")),
    "payload-microvm": Case({"type": "microvm"}, guest=BARE, payload=Payload(image="vmpl_model", debug_exit=True)),
    "by-hand": Case(by_hand=True, guest=Guest("/boot/vm linuz", "a='b c'", "/cache/it's.cpio", ssh=True)),
    "by-hand-payload": Case(by_hand=True, guest=BARE, payload=Payload(image="vmpl_model", trace="roy")),
}


def build(case: Case) -> QemuCommand:
    machine = Machine.model_validate(case.machine)
    streams = streams_of(machine, case.payload)
    if case.by_hand:
        wiring = Wiring.terminal(streams)
    else:
        files = {stream: Path(f"/results/a,b/{stream}.log") for stream in streams if stream is Stream.TRACE}
        sockets = {stream: 20 + index for index, stream in enumerate(streams) if stream not in files}
        wiring = Wiring.descriptors(sockets, files, 30)
    return build_command(
        "/usr/bin/qemu-system-x86_64", case.version, case.accel, machine, case.guest, wiring, case.payload
    )


@pytest.mark.parametrize("name", CASES)
def test_the_command_line_is_the_golden_one(name: str, golden: Callable[[Path, str], None]) -> None:
    command = build(CASES[name])
    golden(
        GOLDEN / f"{name}.argv", "".join(f"{shlex.join(option)}\n" for option in ((command.binary,), *command.options))
    )


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in GOLDEN.glob("*.argv")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_shell_reads_exactly_the_words_that_are_executed(name: str) -> None:
    command = build(CASES[name])
    assert tuple(shlex.split(command.shell().replace("\\\n", " "))) == command.argv


@pytest.mark.parametrize("placement", ["on", "split", "off"])
def test_an_irqchip_of_kvm_is_refused_under_emulation(placement: str) -> None:
    with pytest.raises(InputError, match=f"irqchip: {placement} places KVM's.*put it under platforms: kvm"):
        build(Case({"irqchip": placement}))


@pytest.mark.parametrize(
    ("accel", "version", "cpu"),
    [
        (Accel.TCG, (6, 2, 0), "max,-cx16"),
        (Accel.TCG, (9, 2, 4), "max,-cx16"),
        (Accel.TCG, (10, 0, 0), "max"),
        (Accel.TCG, (11, 1, 0), "max"),
        (Accel.KVM, (7, 2, 22), "host"),
    ],
)
def test_the_default_cpu_avoids_the_broken_cmpxchg16b(accel: Accel, version: tuple[int, ...], cpu: str) -> None:
    assert default_cpu(accel, version) == cpu


@pytest.mark.parametrize(
    ("payload", "streams"),
    [
        (None, (Stream.CONSOLE, Stream.FIRMWARE)),
        (Payload(image="x"), (Stream.CONSOLE, Stream.REPORT)),
        (Payload(image="x", trace="tom"), (Stream.CONSOLE, Stream.REPORT, Stream.TRACE)),
        (Payload(image="x", report_port="console"), (Stream.CONSOLE,)),
    ],
)
def test_each_kind_of_guest_has_its_streams(payload: Payload | None, streams: tuple[Stream, ...]) -> None:
    assert streams_of(Machine(), payload) == streams


def test_no_line_that_the_harness_runs_names_a_port_or_a_file_to_clean_up() -> None:
    words = " ".join(build(Case({"vcpus": 4})).argv)
    assert "hostfwd=tcp:127.0.0.1:0-:22" in words  # port 0: the kernel chooses a free one
    assert "path=" not in words and "logfile=" not in words
