from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.doctor.collect import collect
from harness.doctor.judge import judge
from harness.doctor.snapshot import Access, Cpuid, Unreadable

from .recorded import HOSTS, host


def test_a_recorded_host_is_read_whole() -> None:
    read = host("planes-kernel")
    assert read.cpuid == {0x8000001F: Cpuid(0xCFFFFFFB, 0x41B3, 0x3EE, 0x64)}
    assert read.msr(0xC0010132) == 0x4032600000
    assert read.symbols == {"kvm_request_plane_switch"}
    assert not isinstance(read.fields, Unreadable) and "plane" in read.fields["kvm_msi_set_irq"]
    assert read.may("/dev/sev") == Access(True, True)
    assert read.log is not None and "AMD-Vi: IOMMU SNP support enabled." in read.log


def test_only_what_matters_of_the_command_line_and_the_log_is_kept() -> None:
    read = host("passthrough-iommu")
    assert read.parameters == ("iommu=pt", "amd_iommu=on")
    assert not isinstance(read.log, Unreadable)
    assert [line.split(":")[0] for line in read.log] == ["AMD-Vi", "kvm_amd", "kvm_amd"]


def test_denied_is_not_absent() -> None:
    denied, absent = host("laptop-intel").msrs, host("container").msrs
    assert isinstance(denied, Unreadable) and isinstance(absent, Unreadable)
    assert (denied.absent, absent.absent) == (False, True)
    assert "run as root" in denied.why


def _tree(root: Path, files: dict[str, bytes], **kept: object) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    (root / "snapshot.json").write_text(json.dumps(kept))
    return root


def test_names_that_the_compiler_split_and_names_that_only_begin_alike(tmp_path: Path) -> None:
    lines = b"0000 t kvm_vcpu_select_plane.isra.0\t[kvm]\n0000 T kvm_request_plane_switch_other\n"
    assert collect(_tree(tmp_path, {"proc/kallsyms": lines})).symbols == {"kvm_vcpu_select_plane"}


def test_an_empty_list_of_symbols_proves_nothing(tmp_path: Path) -> None:
    assert isinstance(collect(_tree(tmp_path, {"proc/kallsyms": b"\n"})).symbols, Unreadable)


def test_a_folder_where_a_file_should_be(tmp_path: Path) -> None:
    (tmp_path / "proc/meminfo").mkdir(parents=True)
    assert isinstance(collect(_tree(tmp_path, {})).text("/proc/meminfo"), Unreadable)


def test_a_record_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "snapshot.json").write_text("[]")
    with pytest.raises(ValueError, match="holds no object"):
        collect(tmp_path)


_PATHS = sorted(
    str(path.relative_to(HOSTS / "milan"))
    for path in (HOSTS / "milan").rglob("*")
    if path.is_file() and path.name != "snapshot.json"
)


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(_PATHS), st.binary(max_size=80), max_size=12))
def test_damaged_files_never_raise(tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]) -> None:
    judge(collect(_tree(tmp_path_factory.mktemp("host"), files)))


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(_PATHS), st.integers(min_value=0, max_value=400))
def test_files_cut_anywhere_never_raise(tmp_path_factory: pytest.TempPathFactory, path: str, length: int) -> None:
    cut = (HOSTS / "milan" / path).read_bytes()[:length]
    judge(collect(_tree(tmp_path_factory.mktemp("host"), {path: cut})))


def test_this_machine_can_be_read(tmp_path: Path) -> None:
    read = collect(Path("/"), tmp_path / "not" / "there")
    assert not isinstance(read.text("/proc/cpuinfo"), Unreadable)
    assert read.text("/proc/sys/kernel/osrelease") == os.uname().release
    assert read.results_folder == str(tmp_path)
    assert isinstance(read.results_free_bytes, int)
