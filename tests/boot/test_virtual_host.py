"""A Linux guest with KVM in it as the host of a boot, made by the command as a person types it."""

import asyncio
import hashlib
import json
import os
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from harness.boot.hosts import open_host_site
from harness.boot.kvm_probe import probe_kvm
from harness.boot.site import Site
from harness.clock import Deadline
from harness.errors import InputError
from harness.host.protocol import HostKind, HostLost

pytestmark = pytest.mark.qemu

SCENARIO = """name: nested
about: A guest of a guest starts.
machine: {vcpus: 2}
timeout: 180s
expect:
  - startup: {milestones: [kernel, init, ready]}
  - vcpus_online: 2
"""


@pytest.mark.slow
def test_a_linux_guest_boots_on_it_under_kvm(site: Site, program: Path, tmp_path: Path) -> None:
    (tmp_path / "nested.yaml").write_text(SCENARIO)
    words = ["run", "nested.yaml", "--host", "virtual", "--platform", "kvm", "--format", "json"]
    done = subprocess.run(
        [str(program), *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=500
    )
    answer = json.loads(done.stdout)
    assert answer["exit_status"] == 0, done.stdout + done.stderr
    run = tmp_path / answer["results"]
    record = json.loads((run / "boots" / "0001" / "boot.json").read_text())
    assert record["accel"] == "kvm"
    assert record["identity"]["platform"] == "kvm"
    assert record["host"]["kind"] == "virtual"
    assert b"svsm-harness: ready" in (run / "host" / "console.log").read_bytes()  # the host's own log
    assert [path.name for path in (tmp_path / "results").iterdir() if path.name.startswith(".host-")] == []


def test_it_is_a_host_like_any_other_and_takes_files_fast(site: Site, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with open_host_site("virtual", os.environ, tmp_path) as there:
            assert there.host.kind is HostKind.VIRTUAL
            assert there.capabilities.version == site.capabilities.version
            content = os.urandom(5_000_000)
            path = await there.host.put(content, Deadline.after(120))
            said = await there.host.run(f"[ -w /dev/kvm ] && sha256sum {path}", Deadline.after(120))
            assert said.stdout.split()[0].decode() == hashlib.sha256(content).hexdigest()
            tracing = await there.host.run("ls /sys/kernel/tracing/events/kvm/kvm_exit/format", Deadline.after(30))
            assert tracing.status == 0
            if not (await probe_kvm(site)).usable:  # its CPUs are emulated, and the first one is unsound for guests
                allowed = await there.host.run("grep ^Cpus_allowed_list /proc/self/status", Deadline.after(30))
                assert allowed.stdout.split()[1] == b"1-2"
                clock = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource"
                assert (await there.host.run(clock, Deadline.after(30))).stdout == b"tsc\n"

    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []


def test_no_boot_makes_its_kernel_patch_its_scheduler(tmp_path: Path) -> None:
    # Two trace instances that filter by thread, and a machine with an APIC that no software has enabled: what a boot's
    # own trace and machine switch on and off is on already. All its CPUs are online nevertheless.
    held = """for i in /sys/kernel/tracing/instances/*; do grep -q . $i/set_event_pid && cat $i/tracing_on; done
        ls -l /proc/[0-9]*/fd 2>/dev/null | grep -o 'kvm-v.*'; cat /sys/devices/system/cpu/online"""

    async def scenario() -> list[bytes]:
        async with open_host_site("virtual", os.environ, tmp_path) as there:
            return (await there.host.run(held, Deadline.after(60))).stdout.split()

    off_1, off_2, *machine, online = asyncio.run(scenario())
    assert (off_1, off_2) == (b"0", b"0")
    assert sorted(machine) == [b"kvm-vcpu:0", b"kvm-vm"]
    assert online in (b"0-1", b"0-2")


def test_one_that_panics_is_lost_at_once_and_says_why(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with open_host_site("virtual", os.environ, tmp_path) as there:
            waiting = asyncio.create_task(there.host.run("echo; sleep 1000", Deadline.after(300)))
            with suppress(HostLost):
                await there.host.run("echo c >/proc/sysrq-trigger", Deadline.after(300))
            with pytest.raises(HostLost) as lost:
                async with asyncio.timeout(100):
                    await waiting
            return await there.host.explain(lost.value)

    assert "Kernel panic - not syncing: sysrq triggered crash" in asyncio.run(scenario())


def test_a_kernel_that_is_none_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "vmlinuz").write_bytes(b"no kernel")

    async def scenario() -> None:
        async with open_host_site("virtual", os.environ, tmp_path / "results", str(tmp_path / "vmlinuz")):
            raise AssertionError("it is up")

    with pytest.raises(InputError, match="cannot be booted"):
        asyncio.run(scenario())
