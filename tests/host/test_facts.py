"""What a host says of itself, from its own texts and over its shell."""

import asyncio
import os
import platform

import pytest

from harness.clock import Deadline
from harness.errors import HostError
from harness.host.facts import ask_facts, parse_facts
from harness.host.local import LocalHost
from harness.host.protocol import Finished, HostFacts, HostKind


def test_the_texts_are_read() -> None:
    found = parse_facts(
        "6.17.0-svsm\n", "ab-cd\n", "64", "MemTotal:       131072 kB\n", "model name\t: AMD  EPYC 9654\n"
    )
    assert found == HostFacts("6.17.0-svsm", "ab-cd", 64, 128 << 20, "AMD EPYC 9654")
    assert parse_facts("6", "b", "1", "MemTotal: 1 kB", "").cpu_model == ""  # other architectures name none


@pytest.mark.parametrize(("cpus", "memory"), [("many", "MemTotal: 1 kB"), ("1", "nothing"), ("", "MemTotal: 1 kB")])
def test_a_host_without_a_size_is_refused(cpus: str, memory: str) -> None:
    with pytest.raises(HostError, match="how large a host is"):
        parse_facts("6", "b", cpus, memory, "")


def test_the_script_asks_what_this_machine_knows_of_itself() -> None:
    host = LocalHost()
    found = asyncio.run(ask_facts(host, Deadline.after(20)))
    assert found == host.facts
    assert found.release == platform.release()
    assert found.cpus == len(os.sched_getaffinity(0))


def test_what_is_no_linux_is_said() -> None:
    class Other:
        name, kind = "router", HostKind.SSH

        async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
            return Finished(0, b"% Unknown command\n", b"")

    with pytest.raises(HostError, match=r"router is not a Linux .* % Unknown command"):
        asyncio.run(ask_facts(Other(), Deadline.after(1)))  # type: ignore[arg-type]
