"""Bisections on other hosts, as a person types them: over two kernels of a virtual host, and on a machine by SSH."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from harness.errors import HostError
from harness.guest.kernel import GuestKernel
from harness.guest.kernel_package import fetch_kernel
from harness.guest.vmlinux import elf_notes, unpacked_kernel
from harness.host.cache import cache_dir
from harness.regress.bisect_host import BisectHost, open_bisect_host
from harness.regress.journal import Booted, Entry, HostOpened, Journal, Switched, Untestable
from harness.regress.span import CannotTest
from harness.results.store import Run
from tests.regress.machine import NEW, OLD, USUAL, Machine, kernel_image, machine

from .command import Bench

pytestmark = pytest.mark.qemu

FOLDER = Path(__file__).parents[1] / "regress"
# The same version of the same source, once with and once without SEV in its KVM (CONFIG_KVM_AMD_SEV).
WITH_SEV, WITHOUT = "linux-image-amd64", "linux-image-cloud-amd64"


@pytest.fixture(scope="session")
def kernels() -> None:
    """Fetch both, so that no test's time limit holds the download."""
    try:
        for name in (WITH_SEV, WITHOUT):
            fetch_kernel(cache_dir(os.environ), name)
    except HostError as error:
        pytest.skip(f"the two kernels of Debian cannot be had: {error}")


@pytest.fixture
def there(tmp_path: Path) -> Iterator[Machine]:
    with machine(tmp_path / "machine") as made:
        yield made


def entries_of(bench: Bench) -> list[Entry]:
    return list(Journal(bench.run / "journal.jsonl").entries())


@pytest.mark.slow
def test_what_was_recorded_on_a_kernel_counts_by_its_packages_name(bench: Bench, kernels: None) -> None:
    image, modules, _ = fetch_kernel(cache_dir(os.environ), WITHOUT)
    programs = build(bench, "sev_built_in.c")
    recorded = bench.command(
        "stability", FOLDER / "sev_built_in.yaml", "--set", programs, "--host", "virtual", "--boots", "4",
        "--set", f"host.kernel={image}", "--set", f"host.modules={modules}", "--format", "json",
    )  # fmt: skip
    assert (recorded.status, recorded.json["bad"]) == (1, 4), recorded
    done = bench.command(
        "bisect", FOLDER / "sev_built_in.yaml", "--set", programs, "--host", "virtual", "--min-rate", "30%",
        "--list", f"host.kernel={WITH_SEV},{WITHOUT}", "--bad-run", Path(recorded.json["results"]).name, limit_s=400,
    )  # fmt: skip
    assert done.status == 0, done
    assert f"the failure begins with {WITHOUT}" in done.out
    # That kernel was not booted once more, only the other one.
    assert {entry.position for entry in entries_of(bench) if isinstance(entry, Switched)} == {0}
    assert "; 4 more were known before" in (bench.run / "proof.txt").read_text()


@pytest.mark.slow
def test_of_two_kernels_the_one_that_fails_is_named_and_each_was_booted_for_real(bench: Bench, kernels: None) -> None:
    done = bench.command(
        "bisect", FOLDER / "sev_built_in.yaml", "--set", build(bench, "sev_built_in.c"), "--host", "virtual",
        "--list", f"host.kernel={WITH_SEV},{WITHOUT}", "--min-rate", "30%", limit_s=400,
    )  # fmt: skip
    assert done.status == 0, done
    assert f"the failure begins with {WITHOUT}" in done.out
    switched = [entry for entry in entries_of(bench) if isinstance(entry, Switched)]
    assert {entry.position for entry in switched} == {0, 1}
    for entry in switched:
        assert entry.build_id is not None and entry.took_s > 0
        assert ("cloud" in entry.release) == (entry.position == 1)
    by_position = {entry.position: entry for entry in switched}
    assert by_position[0].build_id != by_position[1].build_id
    # Each boot says for itself which host it was made on.
    for number, boot in enumerate((entry for entry in entries_of(bench) if isinstance(entry, Booted)), start=1):
        record = (bench.run / "boots" / f"{number:04d}" / "boot.json").read_text()
        assert by_position[boot.position].release in record
        assert by_position[1 - boot.position].release not in record
    proof = (bench.run / "proof.txt").read_text()
    assert all(f"ran on the host as {entry.release} (build id {entry.build_id[:12]}" in proof for entry in switched)  # type: ignore[index]
    assert f"kernel of {WITHOUT}: " in (bench.run / "mail.txt").read_text()
    assert (bench.run / "host2" / "console.log").exists()
    assert bench.command("bisect", "--replay", "latest").status == 0
    bench.until_alone()


@pytest.mark.slow
def test_a_kernel_that_does_not_come_up_leaves_the_virtual_host_usable(kernels: None, tmp_path: Path) -> None:
    image, modules, _ = fetch_kernel(cache_dir(os.environ), WITHOUT)
    elf = unpacked_kernel(GuestKernel(image, modules, "", "", image.name), tmp_path / "cache").image.read_bytes()
    broken = tmp_path / "vmlinux"
    broken.write_bytes(_stopped_at_its_entry(elf))
    run = Run(tmp_path / "results" / "run")
    run.folder.mkdir(parents=True)
    opened: list[HostOpened] = []
    said: list[str] = []

    async def scenario() -> None:
        async with open_bisect_host("virtual", os.environ, run, opened.append, said.append, {}, switching=True) as host:
            with pytest.raises(
                CannotTest, match=r"the virtual host did not come up: it ended(.|\n)*its console: .*log"
            ):
                await host.install({"host.kernel": str(broken), "host.modules": str(modules)})
            await _boots(host, {"host.kernel": str(image), "host.modules": str(modules)})

    asyncio.run(scenario())
    assert [one.release for one in opened] == [modules.name]
    assert (run.folder / f"host-failed-{modules.name}.log").exists()


async def _boots(host: BisectHost, values: dict[str, str]) -> None:
    installed = await host.install(values)
    assert installed is not None and installed.build_id is not None
    assert await host.install(values) is None


def _stopped_at_its_entry(elf: bytes) -> bytes:
    """Put an undefined instruction where QEMU starts it: a triple fault, before there is any handler."""
    entry = next(value for name, kind, value in elf_notes(elf) if (name, kind) == (b"Xen\0", 18))
    wanted = int.from_bytes(entry[:8], "little")
    (table_at,) = struct.unpack_from("<Q", elf, 32)
    size_bytes, count = struct.unpack_from("<HH", elf, 54)
    for index in range(count):
        kind, _, offset, _, physical, file_bytes, _, _ = struct.unpack_from(
            "<IIQQQQQQ", elf, table_at + index * size_bytes
        )
        if kind == 1 and physical <= wanted < physical + file_bytes:
            at = offset + wanted - physical
            return elf[:at] + b"\x0f\x0b" + elf[at + 2 :]
    raise AssertionError("no segment holds the entry")


def build(bench: Bench, source: str, *defines: str) -> str:
    """Build a program that runs on any host; return the setting that names its folder."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    programs = bench.folder / "programs"
    programs.mkdir()
    words = ["gcc", "-static", *defines, "-o", str(programs / Path(source).stem), str(FOLDER / source)]
    subprocess.run(words, check=True)
    return f"PROGRAMS={programs}"


def flags_payload(bench: Bench) -> str:
    """Build what fails on a CPU without RDRAND; return the setting that names it."""
    image = bench.folder / "flags.elf"
    subprocess.run(["gcc", "-m32", "-c", "-DONE", FOLDER / "flags_payload.S", "-o", f"{image}.o"], check=True)
    link = ["ld", "-m", "elf_i386", "-Ttext", "0x100000", "-e", "_start", f"{image}.o", "-o", str(image)]
    subprocess.run(link, check=True)
    return f"IMAGE={image}"


def name_hosts(bench: Bench, section: str) -> None:
    (bench.folder / "hosts.yaml").write_text(section)
    bench.environment = {"SVSM_HARNESS_HOSTS": str(bench.folder / "hosts.yaml")}


def kernels_there(bench: Bench, there: Machine, *releases: str) -> Sequence[str | Path]:
    """Make kernels of these releases, the last of them bad; return the command that searches them."""
    for number, release in enumerate(releases):
        there.build_ids[release] = f"aa{number:02d}"
        kernel_image(there.folder / release, release, there.build_ids[release])
    setting = build(bench, "host_release.c", f'-DRELEASE="{there.folder}/release"', f'-DBAD="{releases[-1]}"')
    values = ",".join(str(there.folder / release) for release in releases)
    return (
        "bisect", FOLDER / "host_release.yaml", "--set", setting, "--host", "loopback", "--list",
        f"host.kernel={values}", "--min-rate", "30%",
    )  # fmt: skip


def test_what_the_guest_has_is_searched_on_a_machine_by_ssh_and_it_is_not_rebooted(
    bench: Bench, there: Machine
) -> None:
    name_hosts(bench, there.section(power=True))
    words = ("bisect", FOLDER / "flags_payload.yaml", "--set", flags_payload(bench), "--platform", "tcg")
    done = bench.command(*words, "--host", "loopback", "--list", "machine.cpu=max,qemu64", "--min-rate", "30%")
    assert done.status == 0, done
    assert "the failure begins with qemu64" in done.out
    assert there.starts == [USUAL]
    entries = entries_of(bench)
    assert not any(isinstance(entry, Switched) for entry in entries)
    assert [entry.name for entry in entries if isinstance(entry, HostOpened)] == ["loopback"]
    assert '"loopback"' in (bench.run / "boots" / "0001" / "boot.json").read_text()
    assert "  host: loopback" in (bench.run / "mail.txt").read_text()


@pytest.mark.slow
def test_host_kernels_are_searched_on_a_machine_by_ssh(bench: Bench, there: Machine) -> None:
    there.broken = {"6.6.0-middle"}
    name_hosts(bench, there.section())
    done = bench.command(*kernels_there(bench, there, OLD, "6.6.0-middle", NEW))
    assert done.status == 0, done
    assert "begins with one of 2, which no boot can tell apart" in done.out
    entries = entries_of(bench)
    assert [entry.position for entry in entries if isinstance(entry, Untestable)] == [1]
    switched = {entry.position: (entry.release, entry.build_id) for entry in entries if isinstance(entry, Switched)}
    assert switched == {2: (NEW, "aa02"), 0: (OLD, "aa00")}
    assert sorted(there.starts) == sorted([USUAL, NEW, USUAL, OLD])
    proof = (bench.run / "proof.txt").read_text()
    assert "kernel 6.6.0-middle did not come up; the fall-back did: 6.1.0-usual" in proof
    assert "2 switches of the host's kernel" in proof
    assert bench.command("bisect", "--replay", "latest").status == 0


@pytest.mark.slow
def test_a_killed_one_goes_on_with_the_kernel_that_the_machine_runs(bench: Bench, there: Machine) -> None:
    name_hosts(bench, there.section())
    with bench.start(*kernels_there(bench, there, OLD, NEW)) as process:
        journal = bench.until(lambda: next(bench.results.glob("2*/journal.jsonl"), None), process)
        bench.until(lambda: b'"boot"' in journal.read_bytes(), process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    before = journal.read_bytes()
    done = bench.command("bisect", "--resume", "latest")
    assert done.status == 0, done
    assert f"begins with {there.folder / NEW}" in done.out
    assert "host loopback runs 6.6.0-old until its next start" in done.err
    assert journal.read_bytes().startswith(before.rpartition(b"\n")[0])
    assert there.starts == [USUAL, NEW, OLD]  # not rebooted for what it ran already
    switched = [(entry.position, entry.took_s > 0) for entry in entries_of(bench) if isinstance(entry, Switched)]
    assert switched == [(1, True), (1, False), (0, True)]


@pytest.mark.slow
def test_a_machine_that_stays_down_ends_it_and_it_goes_on_when_the_machine_is_back(
    bench: Bench, there: Machine
) -> None:
    there.dead = {"6.6.0-middle"}
    name_hosts(bench, there.section(up_within="10s"))
    done = bench.command(*kernels_there(bench, there, OLD, "6.6.0-middle", NEW))
    assert done.status == 4, done
    assert "host loopback stays down: it did not come back within" in done.err
    assert "Switch its power off and on" in done.err
    assert "go on with: svsm-harness bisect --resume" in done.err
    before = (bench.run / "journal.jsonl").read_bytes()
    (there.folder / "power").touch()
    name_hosts(bench, there.section())
    while there.starts[-1] != USUAL:
        time.sleep(0.01)
    done = bench.command("bisect", "--resume", "latest")
    assert done.status == 0, done
    assert "begins with one of 2, which no boot can tell apart" in done.out
    assert (bench.run / "journal.jsonl").read_bytes().startswith(before)
    assert there.starts.count("6.6.0-middle") == 0 and there.starts[-1] in (OLD, NEW)
