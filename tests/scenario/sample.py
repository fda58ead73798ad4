"""A check, and short ways to load scenarios, for the tests of this folder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import pytest
from pydantic import Field

from harness.errors import ScenarioError
from harness.scenario import Expectation, Scenario, Setting, load_scenario
from harness.scenario.nodes import MappingNode, Node
from harness.scenario.source import read_source


class VcpusOnline(Expectation):
    """Compare the number of online vCPUs."""

    key: ClassVar[str] = "vcpus_online"
    scalar_field: ClassVar[str | None] = "count"
    count: int = Field(ge=1, description="How many.")


class Counted(Expectation):
    """Compare a count during a step."""

    key: ClassVar[str] = "counted"
    per_cpu: Mapping[int, int] = Field(default={}, description="vCPU → count.")
    during: str | None = Field(default=None, description="Step.")

    def steps_named(self) -> tuple[str, ...]:
        return () if self.during is None else (self.during,)


CHECKS: Mapping[str, type[Expectation]] = {check.key: check for check in (VcpusOnline, Counted)}

#: What every scenario needs, so that a test can show only what it is about.
HEAD = "name: x\nabout: Why.\n"

RICH = """\
name: rich
about: Every section in one file.
tags: [smoke, irq]
vars: {KEYS: 5, DIR: /tmp/somewhere}
matrix:
  vcpus: [1, 2, 4]
  type: [q35, microvm]
  how: [fast]
  exclude:
    - {vcpus: 4, type: microvm}
  include:
    - {vcpus: 8, type: q35, how: slow}
machine: {memory: 512M, irqchip: split, features: ["device:virtio-rng-pci"], min_qemu: "7.2"}
guest:
  append: "quiet how=${how}"
  files: {/etc/x: "${DIR}/x"}
platforms:
  tcg: {machine: {cpu: "max,-cx16"}, timeout: 2m}
  kvm: {}
timeout: 1m
steps:
  - qmp: {name: keys, execute: send-key, arguments: {keys: [{type: qcode, data: a}]}, repeat: "${KEYS}",
          paced_by: {source: i8042, each: 2}}
  - guest: cat /proc/interrupts
  - guest: {run: "false", status: any, within: 500ms}
  - wait: {console: "login: ?$"}
  - wait: {interrupts: {source: NMI, increase: 1}, within: 5s}
  - upload: {from: tool, to: /bin/tool, mode: "0755"}
  - download: {from: /proc/interrupts, to: interrupts.txt}
  - sleep: {settle: 20ms, why: Nothing announces an idle CPU.}
expect:
  - vcpus_online: ${vcpus}
  - counted: {per_cpu: {0: 10}, during: keys}
stability: {boots: 60, max_failure_rate: 5%}
"""


def load(
    text: str, *, set_values: Mapping[str, str] | None = None, environment: Mapping[str, str] | None = None
) -> Scenario:
    return load_scenario(
        text, "s.yaml", checks=CHECKS, set_values=set_values or {}, environment=environment or {}
    )  # fmt: skip


def setting(text: str, **given: Mapping[str, str]) -> Setting:
    """The weakest platform of the only variant; `text` without name and about."""
    (variant,) = load(HEAD + text, **given).variants
    return variant.platforms[-1][1]


def problems(text: str, **given: Mapping[str, str]) -> list[str]:
    with pytest.raises(ScenarioError) as caught:
        load(text, **given)
    return [str(problem) for problem in caught.value.problems]


def tree(text: str) -> MappingNode:
    node: Node | None = read_source(text, "s.yaml", found := [])
    assert isinstance(node, MappingNode)
    assert found == []
    return node
