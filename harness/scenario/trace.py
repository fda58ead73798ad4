"""Define the section ``trace`` of a scenario: what to record of the host's kernel beyond what the checks need."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.scenario.base import Model
from harness.scenario.quantities import Bytes

__all__ = ["Trace"]

_Event = Annotated[str, Field(pattern=r"^([a-z0-9_]+:)?[a-z0-9_]+$")]
_Buffer = Annotated[Bytes, Field(ge=8192)]


class Trace(Model):
    """Ask the host's kernel for more events than the checks need, or for a larger buffer. Only under KVM."""

    events: tuple[_Event, ...] = Field(
        default=(),
        description="Further tracepoints, such as kvm_exit; of another system than kvm with it: sched:sched_switch.",
        examples=[["kvm_exit", "kvm_page_fault"]],
    )
    buffer: _Buffer | None = Field(
        default=None,
        description="The trace buffer for each CPU of the host. Where it was too small, the verdict says which "
        "size would have done. Left out: 64M shared among the CPUs, but at least 8M for each.",
    )
