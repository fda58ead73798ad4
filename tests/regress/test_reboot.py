"""A kernel is put on a machine by the commands of its entry; one that does not come back is switched off and on."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import HostError
from harness.regress.bisect_host import BisectHost
from harness.regress.host_kernel import HostDown
from harness.regress.span import CannotTest

from .machine import OLD, USUAL, Machine, image, use

pytestmark = pytest.mark.qemu


@pytest.mark.parametrize("what", ["install", "once", "reboot"])
def test_a_command_that_fails_is_named_with_its_words(there: Machine, tmp_path: Path, what: str) -> None:
    lines = there.section().splitlines()
    broken = "\n".join(f"      {what}: echo no room >&2; exit 7" if f" {what}:" in line else line for line in lines)

    async def work(host: BisectHost) -> None:
        said = rf"kernel\.{what} of host loopback ended with status 7: no room"
        with pytest.raises(HostError if what == "reboot" else CannotTest, match=said):
            await host.install(image(there, OLD))

    use(there, tmp_path, work, broken + "\n")
    assert there.starts == [USUAL]


def test_a_machine_that_stays_down_is_said_to_be_down(there: Machine, tmp_path: Path) -> None:
    there.dead = {OLD}

    async def work(host: BisectHost) -> None:
        with pytest.raises(
            HostDown, match=r"loopback stays down: .*within 2 s after .*6\.6\.0-old: .*Switch its power"
        ):
            await host.install(image(there, OLD))

    use(there, tmp_path, work, there.section(up_within="2s"))


@pytest.mark.slow
def test_power_brings_it_back_and_the_kernel_cannot_be_tested(there: Machine, tmp_path: Path) -> None:
    there.dead = {OLD}

    async def work(host: BisectHost) -> None:
        with pytest.raises(CannotTest, match="the fall-back did"):
            await host.install(image(there, OLD))
        assert host.site().host.facts.release == USUAL

    use(there, tmp_path, work, there.section(up_within="8s", power=True))
