"""Boot after boot without a fault: every count is the same each time, in every flavour and on 1 to 8 vCPUs.

``VMPL_MODEL_SOAK_BOOTS`` sets the number of boots; 12 are one of each kind.
"""

from __future__ import annotations

import os
import re
from collections import Counter

import pytest
from vmpl_model_boot import Boot, ModelBoot, missing_lines

pytestmark = pytest.mark.qemu

BOOTS = int(os.environ.get("VMPL_MODEL_SOAK_BOOTS", "12"))
KINDS = [(vcpus, flavour) for vcpus in (1, 2, 4, 8) for flavour in ("roy", "planes-v1", "tom")]
STEPS = [
    "calls:50",
    "ipi:10",
    "timer:5:500",
    "keyboard:10",
    "nmi:1",
    "idle:20",
    "slow:3:300",
    "storm:30",
    "pvalidate:5",
]
VMPL0_TIMER = "vmpl0timer:3:300"
CALLS_OF_STEP = {"calls:50": 50, "slow:3:300": 3, "storm:30": 30, VMPL0_TIMER: 6, "pvalidate:5": 10}
TIMER, KEYBOARD, ALARM, IPI, NMI = 0x30, 0x31, 0x32, 0x41, 2


def _counts(found: ModelBoot, name: str, step: str, contains: str) -> Counter[int]:
    return Counter(e.vcpu for e in found.select(name, step, contains))


def _plan(flavour: str) -> list[str]:
    # tom has one APIC for all VMPLs, so VMPL0 has no timer of its own.
    return STEPS if flavour == "tom" else [*STEPS, VMPL0_TIMER]


def _problems(found: ModelBoot, vcpus: int, flavour: str) -> list[str]:
    """Name everything that is not as it must be; empty is good."""
    problems = []
    if found.status != 33:
        problems.append(f"status {found.status}")
    if found.results() != dict.fromkeys(["boot", *_plan(flavour)], True):
        problems.append(f"results {found.results()}")
    if missing_lines(found.events):
        problems.append(f"{missing_lines(found.events)} trace lines missing")
    if not found.events or found.events[-1].fields != f"lines={len(found.events) - 1}":
        return [*problems, "no end line"]
    for step in _plan(flavour):
        calls = CALLS_OF_STEP.get(step, 0)
        forced = 3 if step == VMPL0_TIMER and flavour == "planes-v1" else 0
        wanted = Counter(dict.fromkeys(range(vcpus), calls)) if calls else Counter[int]()
        down = _counts(found, "kvm_vmgexit_enter", step, "exit_reason 80000018, exit_info1 0,")
        up = _counts(found, "kvm_vmgexit_msr_protocol_enter", step, "ghcb_gpa 0000000200000016")
        if down != wanted:
            problems.append(f"{step}: {down} requests down")
        if up != wanted + Counter(dict.fromkeys(range(vcpus), forced)):
            problems.append(f"{step}: {up} requests up")
        switches = {(cpu, *way): calls for cpu in range(vcpus) if calls for way in ((2, 0), (0, 2))}
        if flavour == "roy" and found.switches(step) != switches:
            problems.append(f"{step}: switches {found.switches(step)}")
        if found.calls(step) != ({cpu: (calls,) * 3 for cpu in range(vcpus)} if calls else {}):
            problems.append(f"{step}: calls {found.calls(step)}")
        problems += _interrupt_problems(found, step, vcpus)
    return problems


def _interrupt_problems(found: ModelBoot, step: str, vcpus: int) -> list[str]:
    guest = found.irqs(step)
    accepted: Counter[tuple[int, int]] = Counter()
    for event in found.select("kvm_apic_accept_irq", step):
        fields = re.match(r"apicid (\w+) vec (\d+) \((\w+)", event.fields)
        assert fields
        accepted[int(fields[2]), int(fields[1], 16)] += 1
    # VMPL0's own timer is counted by VMPL0, not by the guest.
    accepted = Counter({key: count for key, count in accepted.items() if key[0] != 0x50})
    problems = [] if accepted == guest else [f"{step}: accepted {dict(accepted)}, guest counted {guest}"]
    per_cpu = {(TIMER, cpu): 5 for cpu in range(vcpus)}
    expected = {
        "calls:50": {},
        "ipi:10": {(IPI, cpu): 10 for cpu in (range(1, vcpus) if vcpus > 1 else range(1))},
        "timer:5:500": per_cpu,
        "keyboard:10": {(KEYBOARD, 0): 10},
        "nmi:1": {(NMI, 0): 1},
        "idle:20": {(ALARM, 0): 1},
        "slow:3:300": {(TIMER, cpu): 3 for cpu in range(vcpus)},
        VMPL0_TIMER: {},
        "pvalidate:5": {},
    }.get(step, guest)
    if guest != expected:
        problems.append(f"{step}: guest counted {guest}")
    return problems


@pytest.mark.parametrize("number", range(BOOTS))
def test_counts_are_the_same_in_every_boot(boot: Boot, number: int) -> None:
    vcpus, flavour = KINDS[number % len(KINDS)]
    found = boot(vcpus, f"flavour={flavour} run={';'.join(_plan(flavour))}")
    assert not _problems(found, vcpus, flavour), found.console + found.report
