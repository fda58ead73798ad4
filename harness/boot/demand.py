"""Hold what a scenario asks of its host against the host that there is."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path

from harness.boot.site import Site
from harness.clock import Deadline
from harness.errors import EvidenceLost, InputError, Unsupported
from harness.guest.kernel import ELF_MAGIC, kernel_release, vmlinux_release
from harness.scenario.demand import HostDemand
from harness.scenario.setting import Variant

__all__ = ["HostFound", "demanded_image", "find_out", "require_host"]

_ASK_S = 30.0
_HEAD_BYTES = 1 << 16


class HostFound:
    """Hold a host's name, its kernel's release, and the flavour of its KVM (None: undecided or not asked for)."""

    def __init__(self, name: str, release: str, flavour: str | None, why: str = "") -> None:
        """Take what was found; ``why`` says why no flavour was."""
        self.name, self.release, self.flavour, self.why = name, release, flavour, why


async def find_out(site: Site, variants: Sequence[Variant]) -> HostFound:
    """Ask the host what the demands of ``variants`` need; a survey only if one of them names a flavour."""
    demands = [setting.host for variant in variants for _, setting in variant.platforms if setting.host is not None]
    facts = site.host.facts
    if not any(demand.flavour for demand in demands):
        return HostFound(site.host.name, facts.release, None)
    try:
        survey = await site.surveys.of(site.host, (), Deadline.after(_ASK_S))
    except (EvidenceLost, TimeoutError) as error:
        return HostFound(site.host.name, facts.release, None, str(error) or "it did not answer in time")
    found = survey.detection
    return HostFound(site.host.name, facts.release, found.flavour, "; ".join(found.reasons))


def require_host(demand: HostDemand | None, host: HostFound) -> None:
    """Check that the host is what the scenario asks for.

    :raise Unsupported: if it is not, naming both.
    :raise InputError: if the kernel's image cannot be read.
    """
    if demand is None:
        return
    if demand.kernel is not None:
        wanted = demand.kernel if demand.image is None else _release(Path(demand.image))
        same = host.release == wanted if demand.image is not None else fnmatch.fnmatchcase(host.release, wanted)
        if not same:
            raise Unsupported(
                f"host {host.name} runs kernel {host.release}, the scenario asks for {wanted}",
                "boot that kernel there" if demand.image is None else "boot it there, or use --host virtual",
            )
    if demand.flavour is not None and host.flavour != demand.flavour:
        known = host.flavour or f"undecided: {host.why}"
        raise Unsupported(f"host {host.name} has KVM of flavour {known}; the scenario asks for {demand.flavour}")


def demanded_image(variants: Sequence[Variant]) -> tuple[str | None, str | None]:
    """Return the kernel's image and its modules that the variants of a run ask of a virtual host; None: none does.

    :raise InputError: if they ask for more than one, for the host is booted once a run.
    """
    asked = {
        (setting.host.image, setting.host.modules): variant.full_id
        for variant in variants
        for _, setting in variant.platforms
        if setting.host is not None and setting.host.image is not None
    }
    if len(asked) > 1:
        named = "; ".join(f"{variant} asks for {image}" for (image, _), variant in asked.items())
        raise InputError(
            f"one run has one virtual host, and here are several kernels: {named}; "
            "choose by --only, or make a run of each"
        )
    return next(iter(asked), (None, None))


def _release(image: Path) -> str:
    try:
        with image.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            return vmlinux_release(head + stream.read()) if head.startswith(ELF_MAGIC) else kernel_release(head)
    except (OSError, ValueError) as error:
        raise InputError(f"host.kernel: {image}: {error}") from error
