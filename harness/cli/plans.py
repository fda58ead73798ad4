"""Choose what to boot for the commands that boot something."""

from __future__ import annotations

from collections.abc import Sequence

from harness.boot.kvm_probe import KvmAnswer, probe_kvm
from harness.boot.plan import needs_kvm, plan_boot, require_files
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.campaign import Planned
from harness.scenario.model import Platform
from harness.scenario.setting import Variant

__all__ = ["make_plans"]

_NOT_ASKED = KvmAnswer(False, "KVM was not asked for")


async def make_plans(variants: Sequence[Variant], site: Site, platform: Platform | None) -> tuple[Planned, ...]:
    """Choose a platform for each variant; KVM is probed only if the choice depends on it.

    :raise InputError: if a setting contradicts itself, or names a file that is missing.
    """
    asked = any(needs_kvm(variant, platform) for variant in variants)
    kvm = await probe_kvm(site) if asked else _NOT_ASKED
    plans = tuple(plan_boot(variant, site.capabilities, kvm, platform) for variant in variants)
    for plan in plans:
        if isinstance(plan, PlannedBoot):
            require_files(plan)
    return plans
