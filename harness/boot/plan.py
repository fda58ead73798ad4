"""Choose, for each variant, the best platform that this machine can do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.boot.kvm_probe import KvmAnswer, probe_kvm
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.errors import InputError, Unsupported
from harness.qemu.capabilities import Capabilities
from harness.qemu.command import Accel
from harness.qemu.support import require_machine
from harness.results.record import BootIdentity
from harness.scenario.model import Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.steps import UploadStep

__all__ = ["RefusedBoot", "plan_boot", "plan_boots", "require_files"]

_KVM_NOT_ASKED = KvmAnswer(False, "KVM was not asked for")


@dataclass(frozen=True, slots=True)
class RefusedBoot:
    """Say why a variant cannot run here, platform by platform."""

    identity: BootIdentity
    reason: str


async def plan_boots(
    variants: Sequence[Variant], site: Site, platform: Platform | None
) -> tuple[PlannedBoot | RefusedBoot, ...]:
    """Choose a platform for each variant; KVM is probed only if the choice depends on it.

    :raise InputError: if a setting contradicts itself, or names a file that is missing.
    """
    asked = any(_needs_kvm(variant, platform) for variant in variants)
    kvm = await probe_kvm(site) if asked else _KVM_NOT_ASKED
    plans = tuple(plan_boot(variant, site.capabilities, kvm, platform) for variant in variants)
    for plan in plans:
        if isinstance(plan, PlannedBoot):
            require_files(plan)
    return plans


def _needs_kvm(variant: Variant, wanted: Platform | None) -> bool:
    # So that nobody waits for a probe whose answer does not matter.
    return any(platform is Platform.KVM and wanted in (None, platform) for platform, _ in variant.platforms)


def plan_boot(
    variant: Variant, capabilities: Capabilities, kvm: KvmAnswer, wanted: Platform | None
) -> PlannedBoot | RefusedBoot:
    """Return the boot on the best platform that can be had, or on ``wanted`` (None: any).

    :raise InputError: if a setting contradicts itself.
    """
    reasons = []
    for platform, setting in variant.platforms:
        if wanted not in (None, platform):
            continue
        try:
            accel = _accel(platform, setting, kvm)
            require_machine(setting.machine, capabilities)
        except Unsupported as error:
            reasons.append(f"{platform}: {error}")
            continue
        except InputError as error:
            raise InputError(f"{variant.file}: {variant.full_id} on {platform}: {error}") from error
        return PlannedBoot(variant, platform, setting, accel)
    if not reasons:
        known = ", ".join(platform for platform, _ in variant.platforms)
        reasons = [f"the scenario has no platform {wanted}; it has {known}"]
    best = variant.platforms[0][0] if wanted is None else wanted
    identity = BootIdentity(variant.scenario, variant.full_id, variant.slug, variant.file, best)
    return RefusedBoot(identity, "; ".join(reasons))


def _accel(platform: Platform, setting: Setting, kvm: KvmAnswer) -> Accel:
    if platform in (Platform.SNP, Platform.SVSM, Platform.NOCC):
        raise Unsupported("launching SNP guests is not built yet")
    if platform is Platform.KVM or (platform is Platform.MODEL and setting.machine.accel == "kvm"):
        if not kvm.usable:
            raise Unsupported(kvm.why)
        return Accel.KVM
    return Accel.TCG


def require_files(plan: PlannedBoot) -> None:
    """Check that every file that the setting names is there, before anything is booted.

    :raise InputError: naming all that are not.
    """
    setting = plan.setting
    named: list[tuple[str, str]] = []
    if setting.machine.firmware is not None:
        named.append(("machine.firmware", setting.machine.firmware))
    if setting.guest is not None:
        guest = setting.guest
        named += [
            (key, path)
            for key, path in (
                ("guest.kernel", guest.kernel),
                ("guest.modules", guest.modules),
                ("guest.init", guest.init),
            )
            if path is not None
        ]
        named += [(f"guest.files: {to}", path) for to, path in guest.files.items()]
    if setting.payload is not None and "/" in setting.payload.image:
        named.append(("payload.image", setting.payload.image))
    named += [(f"step {step.name}", step.from_path) for step in setting.steps if isinstance(step, UploadStep)]
    missing = [f"{plan.variant.file}: {key}: there is no {path}" for key, path in named if not Path(path).exists()]
    if missing:
        raise InputError("\n".join(missing))
