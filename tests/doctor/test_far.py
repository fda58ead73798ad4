"""What is read through a shell is what is read here, and nothing that the far side says leads elsewhere."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.boot.site import Site
from harness.clock import Deadline
from harness.doctor.collect import collect
from harness.doctor.examine import examine_site
from harness.doctor.far import far_script, write_tree
from harness.doctor.finding import State
from harness.doctor.judge import judge
from harness.doctor.snapshot import HostSnapshot, Unreadable
from harness.host.local import LocalHost

from .recorded import finding


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[HostSnapshot, HostSnapshot]:
    """This machine, read directly and through its shell."""
    folder = tmp_path_factory.mktemp("far")
    done = asyncio.run(LocalHost().run(far_script(), Deadline.after(60)))
    assert done.status == 0 and done.stderr == b"", done.stderr
    write_tree(done.stdout, folder, {})
    return collect(Path("/"), folder), collect(folder, folder)


# These move between two looks.
_LIVE = {"/proc/meminfo", "/proc/cpuinfo", "/sys/fs/cgroup/misc.current"}


def test_every_file_and_folder_reads_the_same(both: tuple[HostSnapshot, HostSnapshot]) -> None:
    here, far = both
    texts = {path: text for path, text in here.files.items() if path not in _LIVE}
    assert {path: far.files[path] for path in texts} == texts
    assert far.folders == here.folders
    assert far.access == here.access
    for path in _LIVE:
        assert isinstance(far.files[path], str) == isinstance(here.files[path], str)


def test_cpuid_msrs_parameters_symbols_and_fields_read_the_same(both: tuple[HostSnapshot, HostSnapshot]) -> None:
    here, far = both
    for name in ("parameters", "symbols", "fields", "root", "memlock_bytes", "open_files"):
        ours, theirs = getattr(here, name), getattr(far, name)
        assert theirs == ours or (isinstance(ours, Unreadable) and isinstance(theirs, Unreadable)), name
    for name in ("cpuid", "msrs"):
        ours, theirs = getattr(here, name), getattr(far, name)
        assert theirs == ours or (isinstance(ours, Unreadable) and theirs.absent == ours.absent), name
    assert far.programs == here.programs


def test_the_log_reads_the_same(both: tuple[HostSnapshot, HostSnapshot]) -> None:
    here, far = both
    if isinstance(here.log, Unreadable) or isinstance(far.log, Unreadable):
        assert isinstance(here.log, Unreadable) == isinstance(far.log, Unreadable)
    else:
        assert far.log[-20:] == here.log[-20:]


def test_nothing_is_written_outside_of_the_tree(tmp_path: Path) -> None:
    content = base64.b64encode(b"evil").decode()
    said = f"= file /../../evil\n{content}\n= folder /a/../../b\nx/../../y\n..\nplain\n= root\n0\n"
    write_tree(said.encode(), tmp_path / "deep" / "tree", {})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep"]
    assert sorted(path.name for path in (tmp_path / "deep").iterdir()) == ["tree"]
    assert (tmp_path / "deep" / "tree" / "a" / "b" / "plain").exists()


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_hostile_answers_never_raise(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    folder = tmp_path_factory.mktemp("noise")
    write_tree(b"= file /proc/cpuinfo\n" + noise + b"\n= access /dev/kvm\nrw\n= limits\n", folder, {})
    judge(collect(folder, folder))


@pytest.mark.qemu
def test_a_host_is_examined_through_its_shell_alone(site: Site, tmp_path: Path) -> None:
    report = asyncio.run(examine_site(site, {"PATH": "/usr/bin", "SVSM_IGVM": "/none.igvm"}, tmp_path))
    assert finding(report, "QEMU").state is State.OK
    assert "cannot be read on local" in finding(report, "IGVM file").value
    assert report.best is not None


def test_a_host_without_a_shell_that_answers_is_no_host(site: Site, tmp_path: Path) -> None:
    from harness.errors import HostError
    from harness.host.protocol import Finished

    class Mute(LocalHost):
        async def run(self, script: str, deadline: Deadline, stdin: bytes = b"") -> Finished:
            return Finished(127, b"", b"rbash: restricted")

    with pytest.raises(HostError, match="cannot be read: rbash: restricted"):
        asyncio.run(examine_site(replace(site, host=Mute()), {}, tmp_path))
