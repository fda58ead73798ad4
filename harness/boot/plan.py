"""Choose, for each variant, the best platform that this machine can do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness.boot.demand import HostFound, find_out, require_host
from harness.boot.kvm_probe import KvmAnswer, probe_kvm
from harness.boot.launch import SNP_NOT_ASKED, needs_snp, plan_launch, probe_snp, shown_setting, with_firmware
from harness.boot.own_qemu import with_qemu
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.errors import InputError, Unsupported
from harness.host.protocol import HostKind
from harness.host.snp import SnpFacts
from harness.qemu.capabilities import Capabilities
from harness.qemu.command import Accel
from harness.qemu.support import require_machine
from harness.results.record import BootIdentity
from harness.scenario.contradictions import accel_on
from harness.scenario.model import Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.steps import KvmSelftestsStep, UploadStep

__all__ = ["RefusedBoot", "plan_boot", "plan_boots", "require_files"]

_KVM_NOT_ASKED = KvmAnswer(False, "KVM was not asked for")


@dataclass(frozen=True, slots=True)
class RefusedBoot:
    """Say why a variant cannot run here, platform by platform.

    ``shown`` is the boot that the platform asked for would be where it can be had, with ``notes`` on what stands in for
    what only such a host knows; None: no platform was asked for.
    """

    identity: BootIdentity
    reason: str
    shown: PlannedBoot | None = None
    notes: tuple[str, ...] = ()


async def plan_boots(
    variants: Sequence[Variant], site: Site, platform: Platform | None
) -> tuple[PlannedBoot | RefusedBoot, ...]:
    """Choose a platform for each variant; KVM is probed only if the choice depends on it.

    :raise InputError: if a setting contradicts itself, or names a file that is missing.
    """
    pairs = [pair for variant in variants for pair in variant.platforms if platform in (None, pair[0])]
    snp = await probe_snp(site) if any(needs_snp(setting) for _, setting in pairs) else SNP_NOT_ASKED
    # So that nobody waits for a probe whose answer does not matter.
    asked = any(_needs_kvm(grade, setting, snp) for grade, setting in pairs)
    kvm = await probe_kvm(site) if asked else _KVM_NOT_ASKED
    host = await find_out(site, variants)
    named = {setting.machine.qemu for _, setting in pairs} - {None}
    others = {name: (await with_qemu(site, name)).capabilities for name in named if name is not None}
    plans = tuple(plan_boot(variant, site.capabilities, kvm, platform, snp, host, others) for variant in variants)
    for plan in plans:
        if isinstance(plan, PlannedBoot):
            require_files(plan, here=site.host.kind is HostKind.LOCAL)
    return plans


def _needs_kvm(platform: Platform, setting: Setting, snp: SnpFacts) -> bool:
    if platform is Platform.NOCC:
        return setting.machine.accel != "tcg" and setting.svsm is not None and setting.svsm.igvm != ""
    return platform is Platform.KVM or (setting.snp is not None and not snp.why_not)


def plan_boot(
    variant: Variant,
    capabilities: Capabilities,
    kvm: KvmAnswer,
    wanted: Platform | None,
    snp: SnpFacts = SNP_NOT_ASKED,
    host: HostFound | None = None,
    others: Mapping[str, Capabilities] = MappingProxyType({}),
) -> PlannedBoot | RefusedBoot:
    """Return the boot on the best platform that can be had, or on ``wanted`` (None: any).

    ``host`` is held against what the scenario asks of its host; None asks nothing. ``others`` are what the QEMUs can
    do that settings name by ``machine.qemu``.

    :raise InputError: if a setting contradicts itself.
    """
    reasons = []
    for platform, setting in variant.platforms:
        if wanted not in (None, platform):
            continue
        named = setting.machine.qemu
        qemu = capabilities if named is None else others[named]
        try:
            if host is not None:
                require_host(setting.host, host)
            launch = plan_launch(setting, qemu, snp)
            accel = _accel(platform, setting, kvm)
            require_machine(setting.machine, qemu)
            ready = with_firmware(setting, snp)
        except Unsupported as error:
            reasons.append(f"{platform}: {error}")
            continue
        except InputError as error:
            raise InputError(f"{variant.file}: {variant.full_id} on {platform}: {error}") from error
        return PlannedBoot(variant, platform, ready, accel, launch=launch)
    if not reasons:
        known = ", ".join(platform for platform, _ in variant.platforms)
        reasons = [f"the scenario has no platform {wanted}; it has {known}"]
    best = variant.platforms[0][0] if wanted is None else wanted
    identity = BootIdentity(variant.scenario, variant.full_id, variant.slug, variant.file, best)
    refused = None if wanted is None else variant.setting(wanted)
    if refused is None:
        return RefusedBoot(identity, "; ".join(reasons))
    shown, launch, notes = shown_setting(refused, snp)
    accel = Accel.KVM if accel_on(best, shown.machine) == "kvm" else Accel.TCG
    return RefusedBoot(identity, "; ".join(reasons), PlannedBoot(variant, best, shown, accel, launch=launch), notes)


def _accel(platform: Platform, setting: Setting, kvm: KvmAnswer) -> Accel:
    free = platform in (Platform.MODEL, Platform.NOCC)
    if free and platform is Platform.NOCC and setting.machine.accel == "auto":
        return Accel.KVM if kvm.usable else Accel.TCG
    if platform is not Platform.TCG and (not free or setting.machine.accel == "kvm"):
        if not kvm.usable:
            raise Unsupported(kvm.why)
        return Accel.KVM
    return Accel.TCG


def require_files(plan: PlannedBoot, *, here: bool = True) -> None:
    """Check that every file that the setting names is there, before anything is booted.

    ``here``: the boot is on this machine. Elsewhere firmware, IGVM files and disks are the host's own.

    :raise InputError: naming all that are not.
    """
    setting = plan.setting
    named: list[tuple[str, str]] = []
    machine, svsm = setting.machine, setting.svsm
    if machine.firmware is not None and here:
        named.append(("machine.firmware", machine.firmware))
    if machine.pflash is not None and here:
        flash = (("machine.pflash.code", machine.pflash.code), ("machine.pflash.vars", machine.pflash.vars))
        named += [(key, path) for key, path in flash if path is not None]
    if svsm is not None and here:
        named += [(key, path) for key, path in (("svsm.igvm", svsm.igvm), ("svsm.binary", svsm.binary)) if path]
    if setting.guest is not None:
        guest = setting.guest
        named += [
            (key, path)
            for key, path in (
                ("guest.kernel", guest.kernel),
                ("guest.disk", guest.disk if here else None),
                ("guest.initrd", guest.initrd),
                ("guest.modules", guest.modules),
                ("guest.init", guest.init),
            )
            if path is not None
        ]
        named += [(f"guest.files: {to}", path) for to, path in guest.files.items()]
    if setting.payload is not None and "/" in setting.payload.image:
        named.append(("payload.image", setting.payload.image))
    named += [(f"step {step.name}", step.from_path) for step in setting.steps if isinstance(step, UploadStep)]
    named += [(f"step {step.name}", step.folder) for step in setting.steps if isinstance(step, KvmSelftestsStep)]
    missing = [f"{plan.variant.file}: {key}: there is no {path}" for key, path in named if not Path(path).exists()]
    if missing:
        raise InputError("\n".join(missing))
