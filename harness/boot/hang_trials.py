"""Plan boots that hang in a known way, and compare what is answered with what was done.

Each is judged twice from one record: with all that was seen, and with what could be seen of an encrypted guest, whose
registers and whose own local APICs are hidden.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.boot.disturbance import Disturbance
from harness.boot.hang_acts import pause, share, silence, starve, stop_process, stop_vcpu, throttle, wait_only
from harness.boot.hang_images import COUNT, HALT, SLEEP, SPIN, payload_image, rom_image
from harness.boot.run import PlannedBoot
from harness.checks import all_checks
from harness.classify.hang import Hang, decide_hang
from harness.classify.kinds import HangKind
from harness.evidence.records import BootFacts
from harness.qemu.command import Accel
from harness.qemu.machine import VirtualMachine
from harness.results.files import write_whole
from harness.scenario.load import load_scenario
from harness.scenario.model import Platform

__all__ = ["Answered", "HangTrial", "answer", "confusion", "hidden", "plan_hangs", "problems"]

_Act = Callable[[VirtualMachine], AbstractAsyncContextManager[None]]
# Far beyond what any of them takes: what happens ends each boot, not this.
_TIMEOUT = "120s"
_LINUX = 'machine: {vcpus: 2, memory: 256M}\nguest: {init: "DIR/INIT", ssh: false}'
_SSH_LINUX = 'machine: {vcpus: 2, memory: 256M}\nguest: {files: {/usr/sbin/dropbear: "DIR/no_ssh.sh"}}'
_FIRMWARE = 'machine: {firmware: "DIR/IMAGE.rom"}\nguest: {ssh: false}'
_PAYLOAD = 'payload: {image: "DIR/IMAGE.elf", reports: none, report_port: none, debug_exit: true}'
_MODEL = """machine: {vcpus: 2, memory: 64M}
payload:
  image: vmpl_model
  args: {flavour: FLAVOUR, run: "calls:20;keyboard:2;ipi:10;timer:5:500:each;calls:20", await-ms: 60000}
  faults: ["FAULT"]
  trace: FLAVOUR
  debug_exit: true
"""
# Scripts that take the place of the guest's last step, or of its SSH server.
_FILES: Mapping[str, bytes] = {
    "spin.sh": b"while :; do :; done\n",
    "sleep.sh": b"sleep 100000\n",
    "no_ssh.sh": b"#!/bin/sh\n# It says that it listens, and does not.\nexit 0\n",
    "spin.elf": payload_image(SPIN),
    "halt.elf": payload_image(HALT),
    "sleep.elf": payload_image(SLEEP),
    "count.elf": payload_image(COUNT),
    "spin.rom": rom_image(SPIN),
    "halt.rom": rom_image(HALT),
}


@dataclass(frozen=True, slots=True)
class HangTrial:
    """Say what is done to a boot, and which kind of hang that is; ``where`` is the VMPL, empty for no matter."""

    name: str
    kind: HangKind
    plan: PlannedBoot
    where: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """Hold what was answered of one trial: with all that was seen, and without what encryption hides.

    Both are None where the boot was not made, for the reason ``why``.
    """

    name: str
    kind: HangKind
    seen: Hang | None
    unseen: Hang | None
    folder: str | None = None
    why: str = ""
    where: str = ""


# What a kind looks like without what encryption hides: a guest that halts at once has used no CPU time and said
# nothing, and one that halts later sleeps.
_LESSER: Mapping[HangKind, HangKind] = {
    HangKind.HALTED: HangKind.IDLE,
    HangKind.FIRMWARE_STUCK: HangKind.NEVER_STARTED,
}
_WHERE: Mapping[str, str] = {"svsm-spin": "VMPL0", "guest-spin": "VMPL2"}


def _rows() -> Iterator[tuple[str, HangKind, str, _Act, bool]]:
    # Name, kind, what is booted, what is done, and whether the guest is started at all.
    quiet: _Act = silence
    inside: _Act = partial(silence, after="init")
    payload: _Act = partial(silence, after="guest")
    model: _Act = partial(silence, after="svsm-launch")
    booting = _LINUX.replace("INIT", "sleep.sh")
    working = _PAYLOAD.replace("IMAGE", "count")
    yield "never told to run", HangKind.NEVER_STARTED, _PAYLOAD.replace("IMAGE", "spin"), quiet, False
    yield "firmware loops", HangKind.FIRMWARE_STUCK, _FIRMWARE.replace("IMAGE", "spin"), quiet, True
    yield "firmware halts", HangKind.FIRMWARE_STUCK, _FIRMWARE.replace("IMAGE", "halt"), quiet, True
    yield "payload loops, interrupts off", HangKind.SPIN, _PAYLOAD.replace("IMAGE", "spin"), payload, True
    yield "init loops", HangKind.SPIN, _LINUX.replace("INIT", "spin.sh"), inside, True
    for flavour in ("roy", "planes-v1"):
        faults = (
            ("svsm-spin", HangKind.SPIN),
            ("guest-spin", HangKind.SPIN),
            ("switch-refused-ignored", HangKind.LIVE_LOCK),
            ("switch-dropped", HangKind.LIVE_LOCK),
            ("hlt-lost-wakeup", HangKind.LOST_WAKEUP),
            ("ap-start-hang", HangKind.AP_NEVER_UP),
        )
        for fault, kind in faults:
            text = _MODEL.replace("FLAVOUR", flavour).replace("FAULT", fault)
            # The SVSM itself hangs before it says that it launches its guest.
            act = quiet if fault.startswith("ap-") else model
            yield f"{fault}, {flavour}", kind, text, act, True
    yield "QEMU stopped by a signal", HangKind.QEMU_BLOCKED, booting, stop_process, True
    yield "one vCPU's thread stopped", HangKind.QEMU_BLOCKED, booting, stop_vcpu, True
    yield "guest stopped by QMP", HangKind.QEMU_BLOCKED, booting, pause, True
    yield "neighbours take the CPU", HangKind.HOST_STALLED, working, partial(starve, after="guest"), True
    yield "SSH server missing", HangKind.SSH_DEAD, _SSH_LINUX, partial(silence, after="ready"), True
    yield "stopped nine tenths of the time", HangKind.SLOW, working, partial(throttle, after="guest"), True
    yield "a tenth of a CPU", HangKind.SLOW, working, partial(share, after="guest"), True
    yield "given up too early", HangKind.SLOW, booting, partial(wait_only, after="kernel", duration_s=0.7), True
    yield "halted, interrupts off", HangKind.HALTED, _PAYLOAD.replace("IMAGE", "halt"), payload, True
    yield "init sleeps", HangKind.IDLE, _LINUX.replace("INIT", "sleep.sh"), inside, True
    yield "waits for an interrupt of nobody", HangKind.IDLE, _PAYLOAD.replace("IMAGE", "sleep"), payload, True


def plan_hangs(folder: Path) -> tuple[HangTrial, ...]:
    """Plan every trial; ``folder`` gets the scripts and images that are booted.

    :raise HostError: if they cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in _FILES.items():
        write_whole(folder / name, data)
    trials = []
    for name, kind, text, act, start in _rows():
        slug = "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())
        whole = f"name: hang-{slug}\nabout: {name}\ntimeout: {_TIMEOUT}\n{text.replace('DIR', str(folder))}\n"
        (variant,) = load_scenario(whole, "selftest", checks=all_checks(), set_values={}, environment={}).variants
        setting = variant.setting(Platform.MODEL) or variant.setting(Platform.TCG)
        assert setting is not None  # one of both, as nothing else is asked for
        platform = Platform.TCG if setting.payload is None else Platform.MODEL
        plan = PlannedBoot(variant, platform, setting, Accel.TCG, disturbance=Disturbance(act, start))
        trials.append(HangTrial(name, kind, plan, _WHERE.get(name.partition(",")[0], "")))
    return tuple(trials)


def hidden(facts: BootFacts) -> BootFacts:
    """Take away what could not be seen of an encrypted guest: registers, and what its own local APICs hold."""
    if facts.vitals is None:
        return facts
    looks = tuple(replace(look, cpus=()) for look in facts.vitals.looks)
    return replace(facts, vitals=replace(facts.vitals, looks=looks, pending=(), hidden="as if encrypted"))


def answer(trial: HangTrial, facts: BootFacts, folder: str) -> Answered:
    """Decide what the guest of a trial was doing, with and without what encryption hides."""
    return Answered(trial.name, trial.kind, decide_hang(facts), decide_hang(hidden(facts)), folder, where=trial.where)


def confusion(answers: Sequence[Answered], *, unseen: bool) -> Mapping[HangKind, Counter[HangKind]]:
    """Count the answers by what was done, in the order of the kinds; kinds that were not tried are left out."""
    table: dict[HangKind, Counter[HangKind]] = {}
    for kind in HangKind:
        given = [one.unseen if unseen else one.seen for one in answers if one.kind is kind]
        if given:
            table[kind] = Counter(hang.kind for hang in given if hang is not None)
    return table


def problems(answers: Sequence[Answered]) -> tuple[str, ...]:
    """Return a sentence for each answer that must not be; empty is good.

    With everything seen the answer is right. Without, it is right or it is "unknown", or it is the honest lesser
    answer that what is hidden leaves: a halted guest cannot be told from one that sleeps.
    """
    found = []
    for one in answers:
        if one.seen is None or one.unseen is None:
            found.append(f"{one.name}: not booted: {one.why}")
            continue
        if one.seen.kind is not one.kind or one.where not in ("", one.seen.where):
            found.append(f"{one.name} ({one.folder}): is {one.kind}, answered {one.seen}")
        if one.unseen.kind not in (one.kind, _LESSER.get(one.kind), HangKind.UNKNOWN):
            found.append(f"{one.name} ({one.folder}), as if encrypted: is {one.kind}, answered {one.unseen}")
    return tuple(found)
