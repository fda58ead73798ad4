"""The kernel of a host is switched as its entry says, and a host that does not come back is said to be down."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.boot.hurt_host import note_hurt
from harness.errors import HostError, InputError
from harness.host.cache import cache_dir
from harness.regress.bisect_host import BisectHost, require_host_known
from harness.regress.host_kernel import Installed
from harness.regress.span import CannotTest

from .machine import NEW, OLD, USUAL, Machine, image, use

pytestmark = pytest.mark.qemu


def test_each_kernel_is_put_there_booted_once_and_checked(there: Machine, tmp_path: Path) -> None:
    tree = tmp_path / "modules" / NEW
    (tree / "kernel").mkdir(parents=True)
    (tree / "modules.dep").write_text("kernel/kvm.ko:\n")
    (tree / "kernel" / "kvm.ko").write_bytes(b"module")
    (tree / "build").symlink_to("/usr/src/linux")
    found: list[Installed | None] = []

    async def work(host: BisectHost) -> None:
        found.append(await host.install(image(there, OLD)))
        found.append(await host.install(image(there, OLD)))
        found.append(await host.install({**image(there, NEW, "11223344"), "host.modules": str(tree)}))
        assert host.site().host.facts.release == NEW

    opened = use(there, tmp_path, work)
    first, again, second = found
    assert first is not None and second is not None
    assert (first.release, first.build_id, first.note) == (OLD, "aabbccdd", "")
    assert first.took_s > 0
    assert again is None
    assert (second.release, second.build_id) == (NEW, "11223344")
    assert there.starts == [USUAL, OLD, NEW]
    assert [one.release for one in opened] == [USUAL, OLD, NEW]
    assert (there.folder / "boot" / NEW).read_bytes() == Path(image(there, NEW, "11223344")["host.kernel"]).read_bytes()
    assert (there.folder / "root/lib/modules" / NEW / "kernel/kvm.ko").read_bytes() == b"module"
    assert not (there.folder / "root/lib/modules" / NEW / "build").exists()


def test_a_kernel_that_runs_there_already_is_not_booted_again(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        await host.install(image(there, OLD))

    async def later(host: BisectHost) -> None:
        installed = await host.install(image(there, OLD))
        assert installed is not None
        assert (installed.release, installed.took_s) == (OLD, 0.0)

    use(there, tmp_path, work)
    use(there, tmp_path, later)
    assert there.starts == [USUAL, OLD]


def test_where_the_build_id_cannot_be_read_the_release_alone_counts_and_that_is_said(
    there: Machine, tmp_path: Path
) -> None:
    async def work(host: BisectHost) -> None:
        installed = await host.install(image(there, OLD, None))
        assert installed is not None
        assert (installed.release, installed.build_id) == (OLD, None)
        assert installed.note.startswith("only the release was compared: ")

    use(there, tmp_path, work)


def test_another_build_of_the_same_release_is_no_success(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        wanted = image(there, OLD)
        there.build_ids[OLD] = "00000000"
        with pytest.raises(CannotTest, match=r"another build of 6\.6\.0-old came up: its build id is 00000000"):
            await host.install(wanted)

    use(there, tmp_path, work)


def test_a_release_that_is_installed_there_needs_no_image(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        installed = await host.install({"host.kernel": NEW})
        assert installed is not None and installed.release == NEW
        with pytest.raises(CannotTest, match=r"has no kernel\.install"):
            await host.install(image(there, OLD))

    use(there, tmp_path, work, there.section(install=False))
    assert there.starts == [USUAL, NEW]


def test_a_kernel_that_does_not_come_up_cannot_be_tested_and_the_next_one_can(there: Machine, tmp_path: Path) -> None:
    there.broken = {OLD}

    async def work(host: BisectHost) -> None:
        with pytest.raises(CannotTest, match=r"kernel 6\.6\.0-old did not come up; the fall-back did: 6\.1\.0-usual"):
            await host.install(image(there, OLD))
        assert await host.install(image(there, NEW)) is not None

    use(there, tmp_path, work)
    assert there.starts == [USUAL, USUAL, NEW]


def test_a_machine_that_was_hurt_or_rebooted_meanwhile_is_switched_anew(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        await host.install(image(there, OLD))
        hurt = host.site().host.facts.boot_id
        note_hurt(cache_dir(os.environ), "loopback", hurt, "an oops", "boot 1")
        try:
            assert await host.install(image(there, OLD)) is not None
        finally:
            (cache_dir(os.environ) / "hurt" / f"{hurt}.json").unlink()
        there.server.power_off()  # a boot took it down, and the usual kernel comes up
        there.boot(USUAL)
        assert await host.install(image(there, OLD)) is not None

    use(there, tmp_path, work)
    assert there.starts == [USUAL, OLD, OLD, USUAL, OLD]


def test_what_is_no_host_kernel_reboots_nothing_and_a_lost_host_is_said(there: Machine, tmp_path: Path) -> None:
    async def work(host: BisectHost) -> None:
        assert await host.install({"guest.kernel": "/a"}) is None
        there.server.kill()
        with pytest.raises(HostError, match="host loopback was lost"):
            await host.install({"guest.kernel": "/b"})

    use(there, tmp_path, work, switching=False)
    assert there.starts == [USUAL]


def test_hosts_that_cannot_switch_are_refused_beforehand(tmp_path: Path) -> None:
    (tmp_path / "hosts.yaml").write_text("hosts:\n  a: {address: a.lab}\n  b: {address: b.lab, kernel: {once: o}}\n")
    environment = {"SVSM_HARNESS_HOSTS": str(tmp_path / "hosts.yaml")}
    for name in ("virtual", "b"):
        require_host_known(name, environment, switching=True)
    for name in ("local", "a"):
        require_host_known(name, environment, switching=False)
    with pytest.raises(InputError, match="this machine cannot reboot under its own bisection"):
        require_host_known("local", environment, switching=True)
    with pytest.raises(InputError, match=r"--host a: its entry has no kernel: section"):
        require_host_known("a", environment, switching=True)
    with pytest.raises(InputError, match="no such host"):
        require_host_known("c", environment, switching=False)
