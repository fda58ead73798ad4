"""The file that names a lab's hosts."""

import pytest

from harness.errors import ScenarioError
from harness.scenario.hosts import parse_hosts


def test_an_entry_has_defaults_that_fit_a_lab() -> None:
    (entry,) = parse_hosts("hosts:\n  a: {address: a.lab}\n", "hosts.yaml").values()
    assert (entry.port, entry.user, entry.key, entry.known_hosts) == (22, "root", None, "~/.ssh/known_hosts")
    assert (entry.qemu, entry.jump, entry.slots) == ("qemu-system-x86_64", (), None)


def test_a_kernel_section_has_defaults_that_are_safe() -> None:
    text = "hosts:\n  a: {address: a.lab, kernel: {once: grub-reboot $RELEASE, up_within: 5m}}\n"
    kernel = parse_hosts(text, "hosts.yaml")["a"].kernel
    assert kernel is not None
    assert (kernel.install, kernel.reboot, kernel.power_cycle, kernel.up_within) == (
        None,
        "systemctl reboot",
        None,
        300,
    )


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("hosts: [a]\n", "1:8: hosts must be a mapping of names to machines, not a list"),
        ("host:\n  a: {address: x}\n", "1:1: unknown key 'host'; an inventory has one key, hosts"),
        ("hosts:\n  a: b\n", "2:6: a host must be a mapping with address, not the text 'b'"),
        ("hosts:\n  local: {address: x}\n", "2:3: local is built in"),
        ("hosts:\n  a: {address: x, jump: [b]}\n", "there is no other host 'b'"),
        ("hosts:\n  a: {address: x, jump: [a]}\n", "there is no other host 'a'"),
        ("hosts:\n  a: {address: x, port: 0}\n", "2:25: "),
        ("hosts:\n  a: {address: x, password: y}\n", "2:19: "),
        ("hosts:\n  a:\n    address: x\n    kernel: {reboot: r}\n", "4:13: hosts.a.kernel needs the key 'once'"),
        ("hosts:\n  a:\n    address: x\n    kernel:\n      once: o\n      powercycle: p\n", "6:7: "),
        ("hosts:\n  a:\n    address: x\n    kernel: {once: o, up_within: 5}\n", "4:34: "),
        ("hosts:\n  a:\n    address: x\n    kernel: grub-reboot\n", "4:13: "),
    ],
)
def test_what_is_wrong_has_its_place(text: str, problem: str) -> None:
    with pytest.raises(ScenarioError) as raised:
        parse_hosts(text, "hosts.yaml")
    assert f"hosts.yaml:{problem}" in str(raised.value) or problem in str(raised.value)
