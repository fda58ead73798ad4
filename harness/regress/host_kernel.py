"""Say which kernel a position wants on its host, and check that it is the one that runs there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.clock import Deadline
from harness.errors import HostError, InputError
from harness.guest.build_id import NoBuildId, build_id_of_notes, image_build_id
from harness.guest.kernel import find_kernel
from harness.host.protocol import QemuHost
from harness.regress.span import CannotTest

__all__ = ["HostDown", "Installed", "SearchHost", "WantedKernel", "compare_running", "runs_already", "wanted_kernel"]

_ASK_S = 60.0


@dataclass(frozen=True, slots=True)
class Installed:
    """Say what a host was seen to run after a switch; as :class:`~harness.regress.journal.Switched`."""

    release: str
    build_id: str | None
    note: str
    took_s: float


class HostDown(HostError):
    """Report a host that did not come back with a position's kernel, nor with another."""


class SearchHost(Protocol):
    """Be the host that the boots of a search are made on."""

    async def install(self, values: Mapping[str, str]) -> Installed | None:
        """Let the host run the kernel that ``values`` name; None: it did so before, or they name none.

        :raise CannotTest: if the kernel does not come up; the host then runs another one, or none.
        :raise HostDown: if the host itself does not come back.
        :raise HostError: if the host is lost or cannot be worked on.
        """

    async def check(self) -> None:
        """Check that the host is there, where nothing here could bring it back.

        :raise HostError: if it is lost, or a boot has hurt it.
        """

    def at_once(self, wanted: int) -> int:
        """Return how many boots may run at a time where ``wanted`` are asked for: so many while it is not open."""


@dataclass(frozen=True, slots=True)
class WantedKernel:
    """Be the kernel that a host shall run; ``image`` None: one that is installed there, known by its release.

    ``build_id`` None: ``note`` says why it is not known.
    """

    release: str
    image: Path | None
    modules: Path | None
    build_id: str | None
    note: str


def wanted_kernel(values: Mapping[str, str]) -> WantedKernel:
    """Read ``host.kernel`` and ``host.modules``; unpacks the image for its build id, which takes a second.

    :raise CannotTest: if the image is none, or its modules are not there.
    """
    value, modules = values["host.kernel"], values.get("host.modules")
    if "/" not in value:
        return WantedKernel(value, None, None, None, "no image was given to compare with")
    try:
        kernel = find_kernel(Path(value), None if modules is None else Path(modules), _nothing_to_fetch)
    except (InputError, OSError) as error:
        # find_kernel speaks of the guest's keys.
        raise CannotTest(str(error).replace("guest.", "host.")) from error
    try:
        return WantedKernel(kernel.release, kernel.image, kernel.modules_dir, image_build_id(kernel.image), "")
    except NoBuildId as error:
        return WantedKernel(kernel.release, kernel.image, kernel.modules_dir, None, str(error))


def _nothing_to_fetch() -> tuple[Path, Path, str]:
    raise HostError("no kernel was named")  # pragma: no cover: one always is


async def compare_running(host: QemuHost, wanted: WantedKernel) -> tuple[str | None, str]:
    """Check that ``host`` runs ``wanted``; return the build id that both have, or None and why it was not compared.

    :raise CannotTest: if something else runs.
    :raise HostLost, TimeoutError: as :meth:`~harness.host.protocol.Host.run`.
    """
    running = host.facts.release
    if running != wanted.release:
        raise CannotTest(f"kernel {wanted.release} did not come up; the fall-back did: {running}")
    there, note = await _build_id(host)
    if wanted.build_id is None or there is None:
        return None, f"only the release was compared: {wanted.note if wanted.build_id is None else note}"
    if there != wanted.build_id:
        raise CannotTest(
            f"another build of {running} came up: its build id is {there[:12]}, the image's {wanted.build_id[:12]}"
        )
    return there, ""


async def runs_already(host: QemuHost, wanted: WantedKernel) -> str | None:
    """Return the build id if ``host`` runs this very build; None: it does not, or nobody can tell.

    :raise HostLost, TimeoutError: as :func:`compare_running`.
    """
    try:
        return (await compare_running(host, wanted))[0]
    except CannotTest:
        return None


async def _build_id(host: QemuHost) -> tuple[str | None, str]:
    done = await host.run("cat /sys/kernel/notes", Deadline.after(_ASK_S))
    if done.status != 0:
        return None, f"/sys/kernel/notes there cannot be read: {done.stderr.decode(errors='replace').strip()[-200:]}"
    try:
        return build_id_of_notes(done.stdout), ""
    except NoBuildId as error:
        return None, f"/sys/kernel/notes there: {error}"
