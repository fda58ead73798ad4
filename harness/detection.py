"""Prove the checks: boot the VMPL model with each fault that it can have, and see which check notices.

The matrix is computed from boots. What is written down here is what each fault must and may cause (:data:`FAULTS`), so
that a check that falls silent is found, and one that cries without a cause.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import cycle, islice

from harness.boot.run import PlannedBoot
from harness.checks import all_checks
from harness.checks.base import Status, worst
from harness.qemu.command import Accel
from harness.results.record import BootLine
from harness.scenario.load import load_scenario
from harness.scenario.model import Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.variants import slug

__all__ = [
    "FAULTS",
    "Fault",
    "Row",
    "Trial",
    "build_row",
    "columns_of",
    "fired",
    "plan_fault_free",
    "plan_faults",
    "problems",
]

# A boot that hangs is given up on after this time less what collecting its state takes. Only boots that are meant to
# hang have it, so a slow machine can make no other one late.
_HANG_TIMEOUT_S = 6.0
# How long the guest waits for an interrupt that may never come. Where none is lost on purpose it is as long as a busy
# machine may need; where one is, that time is spent.
_AWAIT_MS = 5000
_FAULTY_AWAIT_MS = 2000

# Every part of the model in one boot, judged by every check that can judge a payload. Ten interrupts of the keyboard
# are five keys, because its queue holds 16 codes. From the launch of the firmware to the guest's first word it is some
# milliseconds; start-slow adds six seconds.
_PROBE = """
name: selftest
about: A fault must be noticed by the check that is for it, and a boot without a fault by none.
matrix:
  flavour: [roy, planes-v1]
  vcpus: [1, 2, 4, 8]
  calls: [20, 5, 100]
  # Eight vCPUs on two cores take seconds; once a turn is enough.
  exclude: [{vcpus: 8, calls: 20}, {vcpus: 8, calls: 100}]
vars: {await_ms: 5000}
machine: {memory: 64M}
payload:
  image: vmpl_model
  args:
    flavour: "${flavour}"
    run: "calls:${calls}:each;keyboard:10;ipi:10;timer:5:500:each;nmi:1;storm:20:300:each;slow:3:400:each;idle:50ms"
    await-ms: "${await_ms}"
    slow-ms: 6000
    # A live-lock writes 50,000 lines a second; a spurious switch at every exit makes 80,000 in the whole boot.
    trace-limit: 200000
  trace: "${flavour}"
  debug_exit: true
timeout: 60s
steps:
  - wait: {name: keyboard, console: "awaiting keyboard"}
  - qmp: {name: keys, execute: send-key, arguments: {keys: [{type: qcode, data: a}], hold-time: 1}, repeat: 5}
  - wait: {name: nmi, console: "awaiting nmi"}
  - qmp: {name: inject, execute: inject-nmi}
expect:
  - startup: {milestones: [svsm, svsm-launch, guest, ready], budgets: {guest: 4s}}
  - console: {lacks: ["[Pp]anic", "Bail out"]}
  - qmp_events: {event: SHUTDOWN, data: {reason: guest-reset}, count: 0}
  - vmpl_switches: {from: 2, to: 0, during: "calls:${calls}:each", each_vcpu: "${calls}", per_call: {}}
  - vmpl_switches: {from: 0, to: 2, during: "calls:${calls}:each", each_vcpu: "${calls}", per_call: {}}
  - vmpl_switches: {of: requested, during: "storm:20:300:each", per_call: {made: 2}}
  - vmpl_switches: {of: refused, count: 0}
  - vmpl_switches: {cause: unrequested, count: 0}
  - vmpl_switches: {cause: IRQ-forced, count: 0}
  - vmpl_switches: {during: "idle:50ms", count: 0}
  - vmpl_switches: {balanced: true}
  - irq_routing: {vector: 0x31, during: "keyboard:10", vmpl: 2, vcpu: 0, count: 10, merged: 0}
  - irq_routing: {source: IPI, vector: 0x41, during: "ipi:10", vmpl: 2, at_least: 10, merged: 0}
  - irq_routing: {source: local, vector: 0x30, during: "timer:5:500:each", vmpl: 2, at_least: 5, merged: 0}
  - irq_routing: {source: local, vector: 0x30, during: "slow:3:400:each", vmpl: 2, at_least: 3, merged: 0}
  - irq_routing: {vector: 2, during: "nmi:1", vcpu: 0, count: 1}
  - invariants: ["guest.calls_made == guest.calls_answered", "requests.down == guest.calls_made"]
  - invariants: ["irqs.lost + irqs.duplicated + irqs.misrouted + irqs.pending == 0"]
  - invariants: {during: "timer:5:500:each", hold: ["irqs.delivered == 5 * vcpus", "guest.irqs == 5 * vcpus"]}
  - invariants: {during: boot, hold: ["aps.created == vcpus - 1", "aps.entered == aps.created"]}
  - switch_latency: {from: 2, to: 0, within: 30s}
"""

_NO_FAULT = "none"
# What planes-v1 can never show: it prints neither the switch nor who is entered.
_NEVER_KNOWN = frozenset({("planes-v1", "switch_latency")})


@dataclass(frozen=True, slots=True)
class Fault:
    """Say what a fault of the model (``guest_payloads/vmpl_model/faults.h``) must and may cause.

    ``forms`` are what follows its name each time it is tried: nothing, ``:RATE`` or ``:RATE:AFTER``. ``noticed_by`` are
    the checks that are for it, of which one must fail (nearly always there is one); those in ``blind`` must answer
    INCONCLUSIVE. ``also`` may fail as a consequence; every other check must not. ``hangs`` tells that a boot with it
    may never end by itself.
    """

    name: str
    forms: tuple[str, ...]
    noticed_by: frozenset[str]
    also: frozenset[str] = frozenset()
    blind: frozenset[str] = frozenset()
    hangs: bool = False


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# A boot that ends early reaches no milestone behind its end, and no step.
_NOT_READY = "startup steps report"
_TRACE_CHECKS = _names("vmpl_switches irq_routing invariants switch_latency")

#: Every fault of the model.
FAULTS: tuple[Fault, ...] = (
    # In planes-v1 an interrupt for VMPL0 makes KVM run it: a switch that nobody asked for.
    Fault("irq-to-vmpl0", ("", ":0.3"), _names("irq_routing"), _names("report vmpl_switches")),
    Fault("irq-lost", ("", ":0.2"), _names("irq_routing"), _names("report invariants")),
    Fault("irq-duplicated", ("", ":0.2"), _names("irq_routing"), _names("report invariants")),
    Fault("irq-wrong-vcpu", ("", ":0.2"), _names("irq_routing"), _names("report invariants")),
    Fault("ipi-wrong-vmpl", ("", ":0.3"), _names("irq_routing"), _names("report vmpl_switches")),
    Fault("default-vmpl-never-raised", ("",), _names("irq_routing"), _names("report vmpl_switches")),
    Fault("switch-dropped", ("",), _names("vmpl_switches"), _names(f"outcome {_NOT_READY}"), hangs=True),
    Fault("switch-dropped", (":0.1:10",), _names("vmpl_switches"), _names("invariants report irq_routing")),
    Fault("switch-refused-ignored", ("",), _names("vmpl_switches"), _names(f"outcome {_NOT_READY}"), hangs=True),
    Fault("switch-refused-ignored", (":0.1:10",), _names("vmpl_switches")),
    Fault("switch-spurious", ("", ":0.05"), _names("vmpl_switches"), _names("irq_routing")),
    Fault("hlt-lost-wakeup", ("",), _names("outcome"), _names(_NOT_READY), hangs=True),
    # Who sleeps on for want of one wake-up may be woken by the next interrupt, and only be late.
    Fault("hlt-lost-wakeup", (":0.2",), _names("outcome report"), _names(f"{_NOT_READY}"), hangs=True),
    # The second AP creation with CREATE is the guest's own; the first is the SVSM's.
    Fault("ap-start-hang", ("", ":1:1"), _names("outcome"), _names(_NOT_READY), hangs=True),
    Fault("ap-start-triple-fault", ("", ":1:1"), _names("outcome"), _names(f"qmp_events {_NOT_READY}")),
    Fault("svsm-panic", ("", ":0.05"), _names("outcome"), _names(f"console {_NOT_READY} invariants")),
    Fault("guest-panic", ("", ":0.3"), _names("outcome"), _names(f"console {_NOT_READY}")),
    Fault("start-slow", ("",), _names("startup")),
    Fault("trace-lost", ("", ":0.01"), frozenset(), blind=_TRACE_CHECKS),
    # A vCPU that never leaves the SVSM, or the guest, answers nobody; what was traced before is whole.
    Fault("svsm-spin", ("",), _names("outcome"), _names(_NOT_READY), hangs=True),
    Fault("guest-spin", ("",), _names("outcome"), _names(_NOT_READY), hangs=True),
)


@dataclass(frozen=True, slots=True)
class Trial:
    """Plan one boot of the matrix; ``fault`` is None for a boot without one, ``spec`` is what the payload is told."""

    flavour: str
    spec: str
    fault: Fault | None
    plan: PlannedBoot


@dataclass(frozen=True, slots=True)
class Row:
    """Hold what the checks said of one boot: the worst status of each, by key.

    ``fired`` is how often the fault struck, None if the boot ended before it could say so. ``noticed_by`` are the
    checks that are for the fault. ``wrong`` are sentences
    about each check that did not do as :data:`FAULTS` demands; empty is good.
    """

    flavour: str
    spec: str
    variant: str
    fired: int | None
    noticed_by: frozenset[str]
    cells: Mapping[str, Status]
    reasons: Mapping[str, str]
    wrong: tuple[str, ...]
    folder: str | None


def _probe(payload: str | None, await_ms: int) -> tuple[Variant, ...]:
    given = {"await_ms": str(await_ms)} | ({} if payload is None else {"payload.image": payload})
    return load_scenario(_PROBE, "selftest", checks=all_checks(), set_values=given, environment={}).variants


def _planned(variant: Variant, faults: tuple[str, ...], seed: int, hangs: bool) -> PlannedBoot:
    setting = variant.setting(Platform.MODEL)
    assert setting is not None and setting.payload is not None  # _PROBE has no other platform
    changed: Setting = replace(
        setting,
        payload=setting.payload.model_copy(update={"faults": faults, "seed": seed}),
        timeout_s=_HANG_TIMEOUT_S if hangs else setting.timeout_s,
    )
    label = ",".join([variant.id, *(f"fault={fault}" for fault in faults), f"seed={seed}"])
    named = replace(variant, id=label, slug=slug(variant.scenario, label), platforms=((Platform.MODEL, changed),))
    return PlannedBoot(named, Platform.MODEL, changed, Accel.TCG)


def plan_faults(seed: int, payload: str | None = None) -> tuple[Trial, ...]:
    """Plan a boot for each flavour and each form of each fault, and one without a fault.

    ``seed`` decides which opportunities a rate takes. ``payload`` is an image to use in place of the project's own.
    """
    trials = []
    for variant in _probe(payload, _FAULTY_AWAIT_MS):
        axes = dict(variant.axes)
        if axes["vcpus"] != 2 or axes["calls"] != 20:
            continue
        flavour = str(axes["flavour"])
        trials.append(Trial(flavour, _NO_FAULT, None, _planned(variant, (), seed, hangs=False)))
        for fault in FAULTS:
            for form in fault.forms:
                spec = fault.name + form
                trials.append(Trial(flavour, spec, fault, _planned(variant, (spec,), seed, fault.hangs)))
    return tuple(trials)


def plan_fault_free(boots: int, payload: str | None = None) -> tuple[Trial, ...]:
    """Plan boots without a fault, over all vCPU counts, flavours and numbers of calls in turn."""
    chosen: Iterator[Variant] = islice(cycle(_probe(payload, _AWAIT_MS)), boots)
    return tuple(
        Trial(str(dict(variant.axes)["flavour"]), _NO_FAULT, None, _planned(variant, (), number, hangs=False))
        for number, variant in enumerate(chosen, start=1)
    )


def fired(console: bytes, spec: str) -> int | None:
    """Return how often the fault struck, as the payload says at its end; None if it never came to say so."""
    name = re.escape(spec.partition(":")[0].encode())
    found = re.search(rb"vmpl_model: fault %s opportunities=\d+ fired=(\d+)" % name, console)
    return None if found is None else int(found[1])


def build_row(trial: Trial, line: BootLine, console: bytes) -> Row:
    """Read what the checks said of a boot, and compare with what its fault demands."""
    cells: dict[str, Status] = {}
    reasons: dict[str, str] = {}
    for verdict in line.verdicts:
        cells[verdict.check] = worst([verdict.status, cells.get(verdict.check, verdict.status)])
        if verdict.status is cells[verdict.check] and verdict.status is not Status.PASS:
            reasons.setdefault(f"{verdict.check} {verdict.status}", verdict.reason)
    struck = fired(console, trial.spec) if trial.fault is not None else None
    # A rate may pass over every opportunity; that boot is one without a fault.
    fault = None if struck == 0 else trial.fault
    wrong = tuple(_wrong(trial.flavour, fault, cells)) if line.verdicts else (f"not booted: {line.reason}",)
    noticed_by = frozenset() if trial.fault is None else trial.fault.noticed_by
    return Row(trial.flavour, trial.spec, line.identity.variant, struck, noticed_by, cells, reasons, wrong, line.folder)


def _wrong(flavour: str, fault: Fault | None, cells: Mapping[str, Status]) -> Iterator[str]:
    must = frozenset() if fault is None else fault.noticed_by
    blind = frozenset() if fault is None else fault.blind
    may = frozenset() if fault is None else fault.also
    if "report" in must | may:
        may |= {"exit_status"}  # a payload with a bad result says so by its exit status too
    if must and not any(cells.get(check) is Status.FAIL for check in must):
        said = ", ".join(f"{check} says {cells.get(check) or 'nothing'}" for check in sorted(must))
        yield f"nobody noticed: {said}"
    for check in sorted(blind | cells.keys()):
        status = cells.get(check)
        if check in blind:
            if status is not Status.INCONCLUSIVE:
                yield f"{check} must be INCONCLUSIVE and says {status or 'nothing'}"
        elif status in (Status.FAIL, Status.ERROR) and check not in must | may:
            yield f"{check} must stay quiet and says {status}"
        elif fault is None and status is not Status.PASS and (flavour, check) not in _NEVER_KNOWN:
            yield f"{check} must pass and says {status}"


def columns_of(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the checks that judged anything, those that the faults are for first."""
    judged = {check for row in rows for check in row.cells}
    first = [check for fault in FAULTS for check in sorted(fault.noticed_by | fault.blind)]
    return tuple(check for check in dict.fromkeys([*first, *sorted(judged)]) if check in judged)


def problems(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return a sentence for each thing that is not as it must be; empty is good."""
    found = [f"{row.variant} ({row.folder}): {what}" for row in rows for what in row.wrong]
    tried = {row.spec.partition(":")[0] for row in rows if row.fired != 0} - {_NO_FAULT}
    if tried:
        found += [f"{name} never struck" for name in dict.fromkeys(f.name for f in FAULTS) if name not in tried]
    return tuple(found)
