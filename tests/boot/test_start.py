"""What a boot needs is put onto a host that is not this one, its keys into a folder that is gone afterwards."""

import asyncio
import shutil
from pathlib import Path

import pytest

from harness.boot.load import prepare_load
from harness.boot.site import Site
from harness.boot.start import start_machine
from harness.clock import Deadline
from harness.host.local import LocalHost
from harness.host.protocol import HostKind, HostLost
from harness.qemu.command import Accel, QemuCommand, Stream, Wiring, build_command
from harness.qemu.command import Guest as Loaded
from harness.scenario.model import Guest, Machine
from harness.scenario.setting import Setting

pytestmark = pytest.mark.qemu


class Pretended(LocalHost):
    """Be this machine as if it were another one: files are copied, QEMU runs behind scripts."""

    kind = HostKind.SSH

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self.placed: list[Path] = []

    async def folder(self, deadline: Deadline) -> str:
        return str(self._folder)

    async def put(self, content: bytes | Path, deadline: Deadline) -> str:
        assert isinstance(content, Path)
        self.placed.append(content)
        return str(shutil.copy(content, self._folder / f"put-{len(self.placed)}"))


def test_the_host_gets_the_files_and_the_keys_go_with_qemu(site: Site, tmp_path: Path) -> None:
    there = tmp_path / "there, with a comma"
    logs = tmp_path / "logs"
    there.mkdir()
    logs.mkdir()
    host = Pretended(there)
    far = Site(site.capabilities, site.cache, site.memory, site.environment, host)
    setting = Setting(Machine(type="microvm"), Guest(), None, (), (), 60.0, None)
    commands: list[QemuCommand] = []

    def compose(machine: Machine, loaded: Loaded, wiring: Wiring) -> QemuCommand:
        capabilities = site.capabilities
        commands.append(build_command(capabilities.binary, capabilities.version, Accel.TCG, machine, loaded, wiring))
        return commands[-1]

    async def scenario() -> None:
        load = await prepare_load(setting, far, Accel.TCG)
        assert load.initramfs is not None
        deadline = Deadline.after(60)
        start = start_machine(compose, setting.machine, (Stream.CONSOLE,), load, far, logs, deadline)
        async with start as machine:
            (boot,) = (path for path in there.iterdir() if path.name.startswith("boot-"))
            assert boot.stat().st_mode & 0o777 == 0o700
            assert (boot / "initrd").read_bytes() == load.initramfs.read_bytes() + load.overlay
            assert len(await machine.vcpu_threads(deadline)) == 1
            await machine.quit()
        assert host.placed == [load.kernel, load.initramfs]

    asyncio.run(scenario())
    assert [path.name for path in there.iterdir() if path.name.startswith("boot-")] == []
    by_hand, far_away = commands
    assert str(there) not in by_hand.shell()  # what a person pastes has this machine's files
    assert f"{there}/put-1" in far_away.argv


def test_a_host_that_falls_silent_at_the_start_is_lost(site: Site, tmp_path: Path) -> None:
    class Silent(Pretended):
        async def put(self, content: bytes | Path, deadline: Deadline) -> str:
            raise TimeoutError

    far = Site(site.capabilities, site.cache, site.memory, site.environment, Silent(tmp_path))
    setting = Setting(Machine(type="microvm"), Guest(), None, (), (), 60.0, None)

    def compose(machine: Machine, loaded: Loaded, wiring: Wiring) -> QemuCommand:
        raise AssertionError("it got this far")

    async def scenario() -> None:
        load = await prepare_load(setting, far, Accel.TCG)
        async with start_machine(compose, setting.machine, (), load, far, tmp_path, Deadline.after(60)):
            raise AssertionError("it started")

    with pytest.raises(HostLost, match="was lost while starting QEMU: no answer in time"):
        asyncio.run(scenario())
