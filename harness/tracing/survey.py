"""Find out what a host's kernel can trace, and which flavour of KVM it is."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.clock import Deadline
from harness.errors import EvidenceLost
from harness.evidence.flavour import PLANE_SYMBOLS, Detection, KernelFacts, detect
from harness.evidence.formats import EventFormat, parse_formats, unfamiliar
from harness.host.protocol import Host
from harness.tracing.scripts import cut_sections, survey_script

__all__ = ["KVM", "HostSurvey", "Surveys", "parse_survey", "survey_host"]

#: The system of KVM's tracepoints, and the one that an event without a system is of.
KVM = "kvm"


@dataclass(frozen=True, slots=True)
class HostSurvey:
    """Hold what was read of a host.

    ``tracefs`` is its folder, None if it is not mounted. ``access`` tells whether this user may use it. ``formats``
    are by ``system:event``. ``hist`` says that the kernel counts by triggers. ``formats_text`` is the kernel's own, to
    be kept with a trace. ``symbols`` is None if /proc/kallsyms could not be read.
    """

    host: str
    release: str
    boot_id: str
    user: int
    tracefs: str | None
    access: bool
    mono: bool
    cpus: int
    hist: bool
    formats: dict[str, EventFormat]
    formats_text: str
    symbols: frozenset[str] | None

    @property
    def detection(self) -> Detection:
        """Tell KVM's flavour by what was read; see :func:`harness.evidence.flavour.detect`."""
        kvm = {name.partition(":")[2]: event for name, event in self.formats.items() if name.startswith(f"{KVM}:")}
        fields = {name: event.field_names for name, event in kvm.items()}
        return detect(KernelFacts(frozenset(kvm), fields, self.symbols))

    @property
    def unfamiliar(self) -> tuple[str, ...]:
        """List what this kernel prints of KVM's events that the decoder does not know."""
        return unfamiliar(event for name, event in self.formats.items() if name.startswith(f"{KVM}:"))

    @property
    def record_bytes(self) -> dict[str, int]:
        """Return the size of each event's record in the ring buffer, without text of variable length."""
        return {
            name: max((field.offset_bytes + field.size_bytes for field in event.fields), default=8)
            for name, event in self.formats.items()
        }

    def obstacle(self) -> str | None:
        """Say why nothing can be traced there, and what to type; None if it can be."""
        if self.tracefs is None:
            return (
                f"tracefs is not mounted on host {self.host}; there, as root: "
                "mount -t tracefs nodev /sys/kernel/tracing (needs CONFIG_FTRACE)"
            )
        if not self.access:
            who = "root" if self.user == 0 else f"user {self.user}"
            return f"{who} may not use {self.tracefs} on host {self.host}; run QEMU there as root"
        if not self.mono:
            return f"the kernel of host {self.host} has no trace clock mono, which the other evidence is timed by"
        return None


async def survey_host(host: Host, deadline: Deadline, systems: Sequence[str] = (KVM,)) -> HostSurvey:
    """Read what the host's kernel can trace; ``systems`` are those whose events will be asked for.

    :raise EvidenceLost: if the answer was cut (:class:`~harness.host.protocol.HostLost`: the host went away).
    :raise TimeoutError: at the deadline.
    """
    token = secrets.token_hex(8)
    finished = await host.run(survey_script(token, systems, sorted(PLANE_SYMBOLS)), deadline)
    return parse_survey(host.name, finished.stdout.decode(errors="replace"), token)


@dataclass
class Surveys:
    """Ask one host once, however many boots a run makes on it."""

    _known: dict[tuple[str, ...], HostSurvey] = field(default_factory=dict)
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, host: Host, systems: Sequence[str], deadline: Deadline) -> HostSurvey:
        """Return what ``host`` can trace of these systems and of KVM.

        :raise EvidenceLost, HostLost, TimeoutError: as :func:`survey_host`; the next boot asks again.
        """
        wanted = tuple(sorted({KVM, *systems}))
        async with self._asking:
            if wanted not in self._known:
                self._known[wanted] = await survey_host(host, deadline, wanted)
            return self._known[wanted]


def parse_survey(host: str, text: str, token: str) -> HostSurvey:
    """Read what the survey script printed.

    :raise EvidenceLost: if it was cut.
    """
    sections = cut_sections(text, token)
    if "end" not in sections:
        raise EvidenceLost(f"host {host} did not answer what its kernel can trace: {text[:200]!r}")
    formats: dict[str, EventFormat] = {}
    texts = []
    for name, body in sections.items():
        if name.startswith("formats-"):
            system = name.removeprefix("formats-")
            formats |= {f"{system}:{event}": found for event, found in parse_formats(body).items()}
            texts.append(body)
    symbols = sections["symbols"]
    clocks = sections["clocks"].replace("[", " ").replace("]", " ").split()
    return HostSurvey(
        host=host,
        release=sections["release"].strip(),
        boot_id=sections["boot_id"].strip(),
        user=int(sections["user"].strip() or -1),
        tracefs=sections["tracefs"].strip() or None,
        access=sections["access"].strip() == "yes",
        mono="mono" in clocks,
        cpus=int(sections["cpus"].strip() or 0),
        hist=sections["hist"].strip() == "yes",
        formats=formats,
        formats_text="".join(texts),
        symbols=None if "grep:" in symbols else frozenset(symbols.split()),
    )
