"""Turn one merged and substituted tree into a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import Field

from harness.errors import Problem
from harness.scenario.base import Model
from harness.scenario.confidential import Snp, Svsm
from harness.scenario.contradictions import machine_contradictions, ssh_reason
from harness.scenario.demand import HostDemand
from harness.scenario.entries import Entry, read_entries
from harness.scenario.expectation import Expectation
from harness.scenario.model import Guest, Machine, Payload, Stability
from harness.scenario.nodes import ListNode, MappingNode, Mark, Node, ScalarNode, locate
from harness.scenario.perturb import Perturb
from harness.scenario.quantities import DurationS
from harness.scenario.setting import Setting
from harness.scenario.snp_contradictions import launch_contradictions
from harness.scenario.steps import STEPS, Step
from harness.scenario.suggest import did_you_mean, listed
from harness.scenario.trace import Trace
from harness.scenario.validate import validate

__all__ = ["Limits", "absent", "resolve"]

M = TypeVar("M", bound=Model)


class Limits(Model):
    """Hold the keys of a setting that are no section of their own."""

    timeout: DurationS = Field(
        default=60.0, description="The outer deadline of one boot, from QEMU's start to the end of the last step."
    )
    stability: Stability | None = Field(default=None, description="Ask for many boots and a limit on failures.")


def absent(node: Node | None) -> bool:
    """Tell whether a section is left out or switched off with null."""
    return node is None or (isinstance(node, ScalarNode) and node.value is None)


def resolve(tree: MappingNode, checks: Mapping[str, type[Expectation]], problems: list[Problem]) -> Setting | None:
    """Return the setting that ``tree`` describes, or None after appending what is wrong to ``problems``."""
    before = len(problems)
    pick = [item for item in tree.items if item[0].text in ("timeout", "stability")]
    limits = validate(Limits, MappingNode(tuple(pick), tree.mark), "", problems)
    machine = _section(Machine, tree, "machine", problems) or (Machine() if absent(tree.get("machine")) else None)
    payload = _section(Payload, tree, "payload", problems)
    guest = _section(Guest, tree, "guest", problems)
    snp = _section(Snp, tree, "snp", problems)
    perturb = _section(Perturb, tree, "perturb", problems)
    svsm = _section(Svsm, tree, "svsm", problems)
    trace = _section(Trace, tree, "trace", problems)
    host = _section(HostDemand, tree, "host", problems)
    if absent(tree.get("guest")) and absent(tree.get("payload")):
        guest = Guest()
    elif not absent(tree.get("guest")) and not absent(tree.get("payload")):
        mark = locate(tree, ("payload",), key=True)[0]
        problems.append(
            mark.problem("guest (Linux) and payload exclude each other; remove one, or switch it off here with null")
        )
    steps = _steps(tree.get("steps"), _runs_ssh(tree, guest), problems)
    sound = len(problems)
    expect = read_entries(tree.get("expect"), checks, "expect", problems)
    if steps is not None:
        _references(expect, steps, problems)
    if machine is not None and len(problems) == sound == before:
        found = [
            *machine_contradictions(machine, guest, payload),
            *launch_contradictions(machine, guest, payload, snp, svsm),
        ]
        for path, what in found:
            problems.append(locate(tree, path)[0].problem(what))
    if len(problems) > before or machine is None or limits is None or steps is None:
        return None
    return Setting(
        machine=machine,
        guest=guest,
        payload=payload,
        steps=steps,
        expect=tuple(entry.value for entry in expect),
        timeout_s=limits.timeout,
        stability=limits.stability,
        snp=snp,
        perturb=perturb,
        svsm=svsm,
        trace=trace,
        host=host,
    )


def _section(model: type[M], tree: MappingNode, name: str, problems: list[Problem]) -> M | None:
    node = tree.get(name)
    return None if node is None or absent(node) else validate(model, node, name, problems)


# Why no SSH is there; None: it is (or what is wrong with the guest is a problem already).
def _runs_ssh(tree: MappingNode, guest: Guest | None) -> str | None:
    if not absent(tree.get("payload")):
        return "a payload runs here"
    return "guest.ssh is false" if guest is not None and not guest.ssh else None


def _steps(node: Node | None, no_ssh: str | None, problems: list[Problem]) -> tuple[Step, ...] | None:
    before = len(problems)
    entries = read_entries(node, STEPS, "steps", problems)
    taken: dict[str, Mark] = {}
    for entry in entries:
        name, mark = entry.value.name, locate(entry.body, ("name",))[0]
        if name in taken:
            line = taken[name].line
            problems.append(mark.problem(f"another step is called {name!r}" + (f" (line {line})" if line else "")))
        elif name:
            taken[name] = mark
        reason = ssh_reason(entry.value)
        if no_ssh is not None and reason is not None:
            problems.append(entry.mark.problem(f"{reason} needs SSH in a Linux guest, and {no_ssh}"))
    if len(problems) > before:
        return None
    return _named([entry.value for entry in entries], set(taken))


def _named(steps: list[Step], taken: set[str]) -> tuple[Step, ...]:
    keys = [step.key for step in steps]
    named = []
    for at, step in enumerate(steps):
        name = step.name or (step.key if keys.count(step.key) == 1 else f"{step.key}-{keys[: at + 1].count(step.key)}")
        while not step.name and name in taken:
            name += "-again"
        taken.add(name)
        named.append(step if step.name else step.model_copy(update={"name": name}))
    return tuple(named)


def _references(expect: tuple[Entry[Expectation], ...], steps: tuple[Step, ...], problems: list[Problem]) -> None:
    names = [step.name for step in steps]
    for entry in expect:
        for name in entry.value.steps_named():
            if name not in names:
                mark = _where_written(entry.body, name) or entry.mark
                problems.append(
                    mark.problem(
                        f"{entry.value.key} refers to the step {name!r}, which does not exist"
                        f"{did_you_mean(name, names)}; steps: {listed(names) or 'none'}"
                    )
                )


def _where_written(node: Node, text: str) -> Mark | None:
    if isinstance(node, ScalarNode):
        return node.mark if node.value == text else None
    inner = node.items if isinstance(node, ListNode) else [value for _, value in node.items]
    return next((mark for mark in (_where_written(item, text) for item in inner) if mark is not None), None)
