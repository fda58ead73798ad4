"""Boot one scenario under changing settings, and say how each boot counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.boot.context import Progress
from harness.boot.own_qemu import QemuUnusable
from harness.boot.plan import RefusedBoot, plan_boots
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.campaign import record_boot
from harness.catalogue import load_files, select_variants
from harness.checks.base import Status
from harness.errors import EvidenceLost, InputError
from harness.results.record import BootLine
from harness.results.store import Run
from harness.scenario.model import Platform
from harness.stability import account
from harness.stability.plan import seeded

__all__ = ["Booter", "counts_as", "failure_signature"]


def failure_signature(line: BootLine) -> str | None:
    """Return what tells a failure from others: how it ended, or the first check that failed; None of a pass.

    Of a boot that told nothing, it is the reason.
    """
    if line.status is Status.PASS:
        return None
    return account.failure_signature(line) if line.status is Status.FAIL else f"{line.status}: {line.reason}"


def counts_as(line: BootLine, signatures: Sequence[str]) -> str:
    """Return bad, good or other; a failure is bad if its signature contains one of ``signatures``, or there are none.

    What failed in another way is neither: it says nothing of the failure that is looked for.
    """
    if line.status is Status.PASS:
        return "good"
    if line.status is not Status.FAIL:
        return "other"
    found = failure_signature(line) or ""
    return "bad" if not signatures or any(part in found for part in signatures) else "other"


@dataclass
class Booter:
    """Boot ``scenario`` with the values of a position on top of ``fixed``; all boots are recorded in ``run``.

    ``site`` returns where to boot: another one after each reboot of the host. It raises :class:`EvidenceLost` of a host
    that may run another kernel than was asked for. ``observe`` gets a boot's number and where it is; None: it ended.
    """

    scenario: Path
    fixed: Mapping[str, str]
    only: Sequence[str]
    platform: Platform | None
    signatures: Sequence[str]
    site: Callable[[], Site]
    run: Run
    environment: Mapping[str, str]
    observe: Callable[[int, Progress | None], None]

    async def boot(self, values: Mapping[str, str], number: int) -> tuple[str, str | None, str | None, float]:
        """Boot once; return how it counts, the signature (None: a pass), the boot's folder, and its seconds.

        :raise InputError: if the values do not fit the scenario, or it has several variants.
        :raise HostError: if the results cannot be written.
        """
        line = None
        try:
            planned = await self.plan(values, number)
            line = await record_boot(planned, self.site(), self.run, partial(self.observe, number))
            self.site()  # the same kernel as before?
        except QemuUnusable as error:
            return "other", f"{Status.ERROR}: {error}", None, 0.0
        except EvidenceLost as lost:
            folder, took_s = (None, 0.0) if line is None else (line.folder, line.duration_s)
            return "other", f"{Status.INCONCLUSIVE}: {lost}", folder, took_s
        finally:
            self.observe(number, None)
        return counts_as(line, self.signatures), failure_signature(line), line.folder, line.duration_s

    async def plan(self, values: Mapping[str, str], number: int) -> PlannedBoot:
        """Return what boot ``number`` (from 1) boots; seeds differ from boot to boot.

        :raise InputError: as :meth:`boot`; also if this machine cannot run it.
        """
        scenarios = load_files([self.scenario], {**self.fixed, **values}, self.environment)
        variants = select_variants(scenarios, self.only)
        if len(variants) != 1:
            names = ", ".join(variant.full_id for variant in variants[:4])
            raise InputError(f"a bisection boots one variant; choose with --only or --set from {names}")
        (planned,) = await plan_boots(variants, self.site(), self.platform)
        if isinstance(planned, RefusedBoot):
            self.site()
            raise InputError(f"{planned.identity.variant} cannot run here: {planned.reason}")
        return replace(planned, setting=seeded(planned.setting, number), turn=number)
