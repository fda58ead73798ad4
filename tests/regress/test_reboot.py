"""A kernel is put on a machine by the commands of its entry; one that does not come back is switched off and on."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.clock import Deadline, poll
from harness.errors import HostError
from harness.host.asids import snp_slot
from harness.host.local import LocalHost
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


@pytest.mark.slow
def test_a_machine_that_a_boot_took_down_is_brought_back_by_its_power(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        await host.install(image(there, OLD))
        there.server.power_off()
        assert await host.install(image(there, OLD)) is not None

    use(there, tmp_path, work, there.section(up_within="8s", power=True))
    assert there.starts == [USUAL, OLD, USUAL, OLD]


def test_a_machine_that_answers_before_it_has_rebooted_is_waited_for(there: Machine, tmp_path: Path) -> None:
    there.stutters = True

    async def work(host: BisectHost) -> None:
        assert await host.install(image(there, OLD)) is not None

    use(there, tmp_path, work)
    assert there.starts == [USUAL, OLD]


def test_nobody_s_snp_guest_is_rebooted_away(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        async with snp_slot(LocalHost(), 4):  # the machine's locks are files of this one
            switching = asyncio.create_task(host.install(image(there, OLD)))
            async for _ in poll(Deadline.after(60), 0.05):
                if (there.folder / "once").exists():
                    break
            done, _ = await asyncio.wait({switching}, timeout=1)
            assert not done and there.starts == [USUAL]
        assert await switching is not None

    use(there, tmp_path, work)
    assert there.starts == [USUAL, OLD]
