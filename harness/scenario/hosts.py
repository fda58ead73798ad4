"""Define the file that names a lab's hosts, and read it: text in, entries out, or every problem with its line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from harness.errors import Problem, ScenarioError
from harness.scenario.base import Model
from harness.scenario.nodes import MappingNode, describe
from harness.scenario.quantities import DurationS
from harness.scenario.source import read_source
from harness.scenario.suggest import did_you_mean, listed
from harness.scenario.validate import validate

__all__ = ["BUILT_IN", "HostEntry", "KernelCommands", "parse_hosts"]

#: Names that every inventory has without saying so.
BUILT_IN = ("local", "virtual")

_HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]


class KernelCommands(Model):
    """Say how a kernel is put on a machine and booted once; `bisect` over host kernels needs it.

    What runs there gets RELEASE (of the kernel), IMAGE (its bzImage) and MODULES (a .tar.gz with lib/modules/RELEASE)
    in its environment, the last two as paths there. They are empty for a kernel that is installed there already, and
    MODULES is for one that needs none.
    """

    install: str | None = Field(
        default=None,
        min_length=1,
        description="Shell command, run there: put IMAGE and MODULES where the boot loader finds them. Left out: only "
        "kernels that are installed there already can be booted.",
    )
    once: str = Field(
        min_length=1,
        description="Shell command, run there: boot RELEASE at the next start only, so that a kernel that does not "
        "come up is followed by the usual one.",
        examples=['grub-reboot "Advanced options for Debian GNU/Linux>Debian GNU/Linux, with Linux $RELEASE"'],
    )
    reboot: str = Field(
        default="systemctl reboot", min_length=1, description="Shell command, run there: reboot through the firmware."
    )
    power_cycle: str | None = Field(
        default=None,
        min_length=1,
        description="Shell command, run HERE with HOST and ADDRESS, when the machine does not come back: switch its "
        "power off and on. Left out: a person has to.",
        examples=["ipmitool -I lanplus -H bmc-$HOST -U lab -f ~/.ipmi-password chassis power cycle"],
    )
    up_within: DurationS = Field(default=600.0, description="How long a reboot may take until SSH answers again.")


class HostEntry(Model):
    """Describe one machine that is reached by SSH; secrets have no place here, keys are named by their files."""

    address: str = Field(min_length=1, description="Name or IP address, as it stands in known_hosts.")
    port: int = Field(default=22, ge=1, le=65535, description="Port of the SSH server.")
    user: str = Field(default="root", min_length=1, description="Who to log in as.")
    key: str | None = Field(
        default=None,
        min_length=1,
        description="Path of the private key. Left out: the agent's keys, then ~/.ssh/id_*.",
    )
    known_hosts: str = Field(
        default="~/.ssh/known_hosts", min_length=1, description="File that must hold the host's key."
    )
    jump: tuple[_HostName, ...] = Field(
        default=(), description="Names of the entries that lead there, the first one first."
    )
    qemu: str = Field(
        default="qemu-system-x86_64", min_length=1, description="QEMU on that machine: a path, or a name on its PATH."
    )
    slots: int | None = Field(
        default=None,
        ge=1,
        description="How many boots at the same time, at most. Left out: one for each CPU, or what -n says.",
    )
    kernel: KernelCommands | None = Field(
        default=None, description="How a kernel is put there. Left out: bisections over host kernels are refused."
    )


def parse_hosts(text: str, file: str) -> Mapping[str, HostEntry]:
    """Return the entries of an inventory by name.

    :raise ScenarioError: with all problems of the file.
    """
    problems: list[Problem] = []
    tree = read_source(text, file, problems)
    hosts = tree.get("hosts") if isinstance(tree, MappingNode) else None
    found: dict[str, HostEntry] = {}
    if isinstance(tree, MappingNode):
        for key, _ in tree.items:
            if key.text != "hosts":
                problems.append(key.mark.problem(f"unknown key {key.text!r}; an inventory has one key, hosts"))
    if tree is not None and not isinstance(hosts, MappingNode):
        shown = describe(tree) if hosts is None else describe(hosts)
        mark = tree.mark if hosts is None else hosts.mark
        problems.append(mark.problem(f"hosts must be a mapping of names to machines, not {shown}"))
    elif isinstance(hosts, MappingNode):
        for name, node in hosts.items:
            if name.text in BUILT_IN:
                problems.append(name.mark.problem(f"{name.text} is built in: it needs no entry, and can have none"))
            elif not isinstance(node, MappingNode):
                problems.append(node.mark.problem(f"a host must be a mapping with address, not {describe(node)}"))
            elif (entry := validate(HostEntry, node, f"hosts.{name.text}", problems)) is not None:
                found[name.text] = entry
        for name, node in hosts.items:
            entry = found.get(name.text)
            for jump in entry.jump if entry is not None else ():
                known = [other.text for other, _ in hosts.items]
                if jump not in known or jump == name.text:
                    near = did_you_mean(jump, known)
                    problems.append(
                        node.mark.problem(f"jump: there is no other host {jump!r}{near}; hosts: {listed(known)}")
                    )
    if problems:
        raise ScenarioError(problems)
    return found
