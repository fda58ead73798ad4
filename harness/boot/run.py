"""Make one boot and return its record; what the guest does is recorded, never raised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.boot.collect import collect_state, write_observations
from harness.boot.context import BootContext, Progress, Report
from harness.boot.disturbance import Disturbance, disturb
from harness.boot.host_watch import watch_host
from harness.boot.judging import failure_so_far
from harness.boot.launch import launch_of
from harness.boot.live import Follower
from harness.boot.load import Load, prepare_load
from harness.boot.own_qemu import with_qemu
from harness.boot.perturb import perturbing
from harness.boot.ready import until_gone, until_payload_done, until_ready
from harness.boot.recorder import recording
from harness.boot.site import Site
from harness.boot.start import start_machine
from harness.boot.steps import run_step
from harness.boot.vitals import Observer
from harness.checks.base import Check
from harness.clock import Deadline, monotonic_s, utc_now
from harness.evidence.records import HOST, Loss, QemuEnd, StepFact, StepStatus
from harness.guest.ssh import SshError
from harness.host.asids import ask_slots, snp_slot
from harness.host.clock_offset import measure_offset
from harness.host.memory import MemoryBudget
from harness.host.protocol import HostKind, HostLost
from harness.qemu.command import Accel, QemuCommand, Stream, Wiring, build_command, streams_of
from harness.qemu.command import Guest as Loaded
from harness.qemu.machine import VirtualMachine
from harness.qemu.monitor import MonitorLost, QemuHungUp
from harness.qemu.snp import Launch
from harness.results.record import BootHost, BootIdentity, BootRecord
from harness.scenario.model import Machine, Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.steps import QmpStep, WaitStep
from harness.scenario.stored import dump_setting

__all__ = ["PlannedBoot", "Stay", "plan_command", "run_boot"]

# Kept of the scenario's time to collect evidence from a guest that did not end in time, before the outer time is up.
_COLLECT_S = 3.0
# A few round trips to the host; an answer that takes longer says too little to be worth more.
_CLOCK_S = 5.0
# Measured: milliseconds, more beside a full load.
_ENDS_S = 5.0


@dataclass(frozen=True, slots=True)
class PlannedBoot:
    """Say what is booted: a variant, on the platform that was chosen for it.

    ``turn`` is the boot's place in a stability campaign, from 1; None: it is part of none. ``disturbance`` is what is
    done to it on purpose, None: nothing. ``stay`` makes what keeps it for a person; None: it is ended when it is over.
    ``launch`` is how an SNP guest or an SVSM is started; None: it is neither.
    """

    variant: Variant
    platform: Platform
    setting: Setting
    accel: Accel
    turn: int | None = None
    disturbance: Disturbance | None = None
    stay: Callable[[], Stay] | None = None
    launch: Launch | None = None

    @property
    def identity(self) -> BootIdentity:
        """Name the boot for the record."""
        variant = self.variant
        return BootIdentity(variant.scenario, variant.full_id, variant.slug, variant.file, self.platform, self.turn)


def plan_command(plan: PlannedBoot, site: Site, load: Load, wiring: Wiring, descriptor: int | None) -> QemuCommand:
    """Build the command line of a planned boot.

    :raise InputError: as :func:`~harness.qemu.command.build_command`.
    """
    return _command(plan, site, plan.setting.machine, load.loaded(descriptor), wiring)


# ``machine`` and ``loaded`` name their files as the host has them.
def _command(plan: PlannedBoot, site: Site, machine: Machine, loaded: Loaded, wiring: Wiring) -> QemuCommand:
    return build_command(
        site.capabilities.binary,
        site.capabilities.version,
        plan.accel,
        machine,
        loaded,
        wiring,
        plan.setting.payload,
        plan.launch,
    )


Hold = Callable[[BootContext, Load, asyncio.Task[str]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Stay:
    """Keep a boot for a person: ``options`` are added to its command line, ``hold`` runs before it is ended.

    ``hold`` gets the running boot, what it loaded, and a task that ends when the guest does. ``if_check_fails``: a boot
    that went well is judged before, and the context says what fails it.
    """

    options: tuple[tuple[str, ...], ...]
    hold: Hold
    if_check_fails: bool = False


def _judged_first(stay: Stay, record: Callable[[QemuEnd], BootRecord]) -> Stay:
    async def hold(context: BootContext, load: Load, gone: asyncio.Task[str]) -> None:
        if not context.went_wrong and context.machine.process.status is None:
            context.fails = await failure_so_far(context, record(QemuEnd(0, asked=True)))
        await stay.hold(context, load, gone)

    return replace(stay, hold=hold)


async def run_boot(plan: PlannedBoot, site: Site, folder: Path, report: Report, stay: Stay | None = None) -> BootRecord:
    """Boot, watch, carry out the steps, collect, and return the record; the logs are in ``folder``.

    ``stay`` keeps the guest for a person in between; None leaves that to the plan.

    :raise InputError: if a file that the scenario names cannot be used.
    :raise HostError: if this machine cannot do its part (:class:`LaunchError`: QEMU did not start).
    """
    setting = plan.setting
    site = await with_qemu(site, setting.machine.qemu)
    stay = plan.stay() if stay is None and plan.stay is not None else stay
    if plan.launch is None:  # planned from a record, or by somebody who did not ask the host
        plan = replace(plan, launch=await launch_of(setting, site))
    report(Progress("image", ""))
    load = await prepare_load(setting, site, plan.accel)
    follower = Follower(report)
    async with AsyncExitStack() as stack:
        follower.note("memory")
        await stack.enter_async_context(site.memory.reserve(setting.machine.memory))
        if plan.launch is not None and plan.launch.encrypted and (slots := await ask_slots(site.host)) is not None:
            follower.note("asid")
            await stack.enter_async_context(snp_slot(site.host, slots))
        started_utc, begin_s = utc_now().isoformat(timespec="seconds"), monotonic_s()

        def compose(machine: Machine, loaded: Loaded, wiring: Wiring) -> QemuCommand:
            command = _command(plan, site, machine, loaded, wiring)
            by_hand = wiring.monitor is None
            return command if stay is None or by_hand else replace(command, options=command.options + stay.options)

        follower.note("qemu")
        deadline = Deadline.after(setting.timeout_s * site.patience)
        streams = streams_of(setting.machine, setting.payload)
        machine = await stack.enter_async_context(
            start_machine(compose, setting.machine, streams, load, site, folder, deadline, follower.saw)
        )
        encrypted = plan.platform in (Platform.SNP, Platform.SVSM)
        here = site.host.kind is HostKind.LOCAL
        observer = Observer(machine, encrypted, kvm=plan.accel is Accel.KVM, host=None if here else site.host)
        context = BootContext(machine, folder, observer, site.host, load.kernel, load.release)
        clock = await measure_offset(site.host, Deadline.after(_CLOCK_S).within(deadline.remaining_s))

        def record(end: QemuEnd | None) -> BootRecord:
            return BootRecord(
                identity=plan.identity,
                setting=dump_setting(setting),
                qemu=site.capabilities.release,
                accel=plan.accel,
                vcpus=setting.machine.vcpus,
                debug_exit=setting.payload is not None and setting.payload.debug_exit,
                reports=_reports(setting),
                report_stream=_report_stream(setting),
                started_utc=started_utc,
                duration_s=monotonic_s() - begin_s,
                marks=tuple(context.marks),
                steps=tuple(context.steps),
                losses=tuple(context.losses),
                ready_s=context.ready_s,
                gave_up_s=context.gave_up_s,
                gave_up_why=context.gave_up_why,
                qemu_end=end,
                received_bytes={stream: console.total_bytes for stream, console in machine.consoles.items()},
                provenance={
                    "qemu binary": site.capabilities.binary,
                    **load.provenance,
                    **(context.host_watch.provenance if context.host_watch is not None else {}),
                },
                host=BootHost(
                    site.host.name,
                    site.host.kind,
                    site.host.facts.release,
                    site.host.facts.cpu_model,
                    clock.offset_s,
                    clock.uncertainty_s,
                ),
            )

        # Switched off only to see what it costs (ci/bench recorder).
        wanted = site.environment.get("SVSM_HARNESS_RECORDER") != "off"
        async with recording(observer if wanted else None) as context.recorder:
            if plan.accel is Accel.KVM:
                watching = watch_host(
                    site.host,
                    machine,
                    setting,
                    folder,
                    site.cache,
                    context.losses,
                    clock.offset_s,
                    site.surveys,
                    deadline,
                )
                context.host_watch = await stack.enter_async_context(watching)
            if stay is not None and stay.if_check_fails:
                stay = _judged_first(stay, record)
            end = await _live(context, plan, load, deadline, follower, stay, site.memory)
        write_observations(context)
        if context.host_watch is not None and end is not None:
            try:
                await context.host_watch.end(f"{folder.parent.parent.name}/{folder.name}")
            except HostLost as lost:
                await _note_lost(context, lost)
        if context.recorder is not None:
            context.recorder.write(folder, machine.now_s())
    return record(end)


async def _live(
    context: BootContext,
    plan: PlannedBoot,
    load: Load,
    outer: Deadline,
    follower: Follower,
    stay: Stay | None,
    memory: MemoryBudget,
) -> QemuEnd | None:
    # From the first guest instruction to the end of QEMU; None: the host was lost, and nobody can know.
    machine = context.machine
    deadline = outer.earlier(_COLLECT_S)
    payload = plan.setting.payload
    gone = asyncio.create_task(until_gone(machine, ends_qemu=payload is not None and payload.debug_exit))
    try:
        async with AsyncExitStack() as stack:
            disturbed = plan.disturbance
            perturb = plan.setting.perturb
            await stack.enter_async_context(perturbing(perturb, machine, memory, context.folder, context.losses))
            if disturbed is None or disturbed.start:
                await machine.start(deadline)
            course = _course(context, plan, load, deadline, gone, follower, stack)
            if disturbed is None:
                await course
            else:
                if await disturb(disturbed, course, machine, stack):
                    context.gave_up_s = machine.now_s()
            _note_not_reached(context, plan.setting)
            if not gone.done() and context.went_wrong:
                follower.note("collecting")
                await collect_state(context, outer)
            if stay is not None:
                await stay.hold(context, load, gone)
    except MonitorLost as error:
        # QEMU ended under us, or does not listen any more; having to kill it is then the finding.
        if not await _ends(machine, error):
            context.losses.append(Loss("qmp", str(error)))
    except HostLost as lost:
        await _note_lost(context, lost)
        return None
    finally:
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
    ended_by_itself = machine.process.status is not None
    if context.host_watch is not None and not ended_by_itself:
        await context.host_watch.sample(["end"], outer)
    try:
        return QemuEnd(await machine.quit(), asked=not ended_by_itself)
    except HostLost as lost:
        await _note_lost(context, lost)
        return None


async def _ends(machine: VirtualMachine, lost: MonitorLost) -> bool:
    # It closes its monitor a moment before it can be waited for.
    if isinstance(lost, QemuHungUp):
        with suppress(TimeoutError, HostLost):
            async with Deadline.after(_ENDS_S).limit():
                await machine.process.wait()
    return machine.process.status is not None


async def _note_lost(context: BootContext, lost: HostLost) -> None:
    context.losses.append(Loss(HOST, await context.host.explain(lost)))


async def _course(
    context: BootContext,
    plan: PlannedBoot,
    load: Load,
    deadline: Deadline,
    gone: asyncio.Task[str],
    follower: Follower,
    stack: AsyncExitStack,
) -> None:
    # What a boot goes through, up to its last step or until it is given up.
    payload = plan.setting.payload
    if payload is not None:
        # A payload runs its plan by itself; the steps are what it needs from outside meanwhile.
        await _carry_out(context, plan.setting, deadline, gone, follower)
        await until_payload_done(context, payload, deadline, gone)
        return
    await until_ready(context, load, deadline, gone, stack)
    if context.ready_s is not None:
        await _carry_out(context, plan.setting, deadline, gone, follower)


async def _carry_out(
    context: BootContext, setting: Setting, deadline: Deadline, gone: asyncio.Task[str], follower: Follower
) -> None:
    samples = context.sampler is not None and _needs_samples(setting)
    watch = context.host_watch
    if watch is not None:
        await watch.sample(["ready"], deadline)
    before = ["ready"]
    for index, step in enumerate(setting.steps):
        if samples and not await _sample(context, [*before, f"before {step.name}"], deadline):
            return
        follower.note(f"step {step.name}")
        if watch is not None:
            await watch.sample([f"before {step.name}"], deadline)
            await watch.mark(step.name, "begin", deadline)
        fact = await run_step(step, index, context, deadline, gone)
        if watch is not None:
            await watch.mark(step.name, "end", deadline)
            await watch.sample([f"after {step.name}"], deadline)
        context.steps.append(fact)
        if fact.status is not StepStatus.DONE:
            break
        before = [f"after {step.name}"]
        if gone.done():
            break
    if samples and not gone.done():
        await _sample(context, [*before, "end"], deadline)


def _reports(setting: Setting) -> str | None:
    payload = setting.payload
    if payload is None or payload.reports == "none" or payload.report_port == "none":
        return None
    return payload.reports


def _report_stream(setting: Setting) -> str:
    if setting.payload is not None and setting.payload.report_port == "com2":
        return Stream.REPORT
    return Stream.CONSOLE


async def _sample(context: BootContext, labels: list[str], deadline: Deadline) -> bool:
    try:
        await context.sample(labels, deadline)
    except (SshError, TimeoutError, ValueError) as error:
        why = str(error) or "the guest did not answer in time"
        context.losses.append(Loss("samples", f"{' and '.join(labels)}: {why}"))
        return False
    return True


def _needs_samples(setting: Setting) -> bool:
    by_check = any(isinstance(check, Check) and check.needs_samples for check in setting.expect)
    by_step = any(
        (isinstance(step, QmpStep) and step.paced_by is not None)
        or (isinstance(step, WaitStep) and step.interrupts is not None)
        for step in setting.steps
    )
    return by_check or by_step


def _note_not_reached(context: BootContext, setting: Setting) -> None:
    for index, step in enumerate(setting.steps[len(context.steps) :], start=len(context.steps)):
        context.steps.append(StepFact(index, step.name, step.key, StepStatus.NOT_REACHED))
