"""Define what loading a scenario yields: variants, and for each platform one resolved setting."""

from __future__ import annotations

from dataclasses import dataclass

from harness.scenario.confidential import Snp, Svsm
from harness.scenario.demand import HostDemand
from harness.scenario.expectation import Expectation
from harness.scenario.model import Guest, Machine, Payload, Platform, Stability
from harness.scenario.perturb import Perturb
from harness.scenario.steps import Step
from harness.scenario.trace import Trace

__all__ = ["Scenario", "Setting", "Variant"]

#: A value of a matrix axis.
AxisValue = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Setting:
    """Hold all that one boot needs to know: nothing is left to substitute, merge or default.

    Exactly one of ``guest`` and ``payload`` is not None. ``snp`` is not None on platforms snp and svsm, ``svsm``
    on svsm and nocc. ``machine.accel`` agrees with the platform (``auto`` is left only on model and nocc).
    ``timeout_s`` is the outer deadline of one boot in seconds. Every step has a ``name``.
    ``stability`` is None if the scenario asks for one boot, ``trace`` if it asks for no more than its checks need,
    ``host`` if any host will do.
    """

    machine: Machine
    guest: Guest | None
    payload: Payload | None
    steps: tuple[Step, ...]
    expect: tuple[Expectation, ...]
    timeout_s: float
    stability: Stability | None
    snp: Snp | None = None
    perturb: Perturb | None = None
    svsm: Svsm | None = None
    trace: Trace | None = None
    host: HostDemand | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    """Be one point of a scenario's matrix.

    ``id`` is stable and readable (``vcpus=2,type=microvm``; ``-`` without a matrix) and does not depend on the other
    variants. ``slug`` is unique within a run's scenarios and safe as the name of a file. ``file`` is the scenario's
    file as it was named when it was loaded.
    """

    scenario: str
    about: str
    tags: tuple[str, ...]
    file: str
    id: str
    slug: str
    axes: tuple[tuple[str, AxisValue], ...]
    #: Best evidence first; never empty.
    platforms: tuple[tuple[Platform, Setting], ...]

    @property
    def full_id(self) -> str:
        """Return ``name[vcpus=2,type=q35]``, or ``name`` alone without a matrix."""
        return self.scenario if self.id == "-" else f"{self.scenario}[{self.id}]"

    def setting(self, platform: Platform) -> Setting | None:
        """Return the setting for ``platform``; None if the scenario does not name it."""
        return dict(self.platforms).get(platform)


@dataclass(frozen=True, slots=True)
class Scenario:
    """Be one scenario file, with every variant on every platform already found valid.

    ``set_names_used`` are the names of ``--set`` that mattered here, so that a run can refuse one that mattered
    nowhere.
    """

    name: str
    about: str
    tags: tuple[str, ...]
    file: str
    variants: tuple[Variant, ...]
    set_names_used: frozenset[str]
