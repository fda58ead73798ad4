"""Finding and running the programs of a folder of KVM selftests; run on this machine, by the code for every host."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.boot.selftests import find_selftests, run_selftests
from harness.clock import Deadline
from harness.errors import InputError
from harness.evidence.selftests import status_of
from harness.evidence.subresults import Status
from harness.host.local import LocalHost

ELF = b"\x7fELF\x02\x01\x01"


def put(path: Path, content: bytes = ELF, mode: int = 0o755) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(mode)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("kvm_binary_stats_test", "x86_64/svm_vmcall_test", "x86_64/svm_int_ctl_test"):
        put(tmp_path / name)
    put(tmp_path / "x86_64" / "nx_huge_pages_test.sh", b"#!/bin/sh\n")
    put(tmp_path / "lib" / "assert.o", mode=0o644)
    put(tmp_path / "lib" / "libkvm.so")
    put(tmp_path / "readme.txt", b"", 0o644)
    return tmp_path


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ([], ["kvm_binary_stats_test", "svm_int_ctl_test", "svm_vmcall_test"]),
        (["svm_*"], ["svm_int_ctl_test", "svm_vmcall_test"]),
        (["svm_vmcall_test", "kvm_*"], ["kvm_binary_stats_test", "svm_vmcall_test"]),
    ],
)
def test_programs_are_found_below_the_folder(folder: Path, only: list[str], names: list[str]) -> None:
    assert [path.name for path in find_selftests(folder, only)] == names


def test_what_cannot_be_run_is_refused_with_what_there_is(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no program 'sev_\*'; it has kvm_binary_stats_test, svm_int_ctl_test"):
        find_selftests(folder, ["svm_*", "sev_*"])
    with pytest.raises(InputError, match="there is no folder"):
        find_selftests(folder / "missing", [])
    with pytest.raises(InputError, match="has no programs; were they built"):
        find_selftests(folder / "lib", [])


def test_each_program_runs_and_its_end_is_kept(tmp_path: Path) -> None:
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    # As kselftest.h has it: 0 passes, 4 is skipped, all else fails.
    sources = {
        "good": 'puts("fine"); return 0;',
        "skipped": "return 4;",
        "bad": 'fputs("no\\n", stderr); return 254;',
        "dies": "raise(11); return 0;",
        "hangs": "pause(); return 0;",
    }
    for name, body in sources.items():
        source = f"#include <stdio.h>\n#include <signal.h>\n#include <unistd.h>\nint main(void) {{ {body} }}\n"
        subprocess.run(["gcc", "-xc", "-", "-o", tmp_path / name], input=source.encode(), check=True)
    found = asyncio.run(run_selftests(LocalHost(), find_selftests(tmp_path, []), 1.0, Deadline.after(60.0)))
    assert {test.name: status_of(test) for test in found} == {
        "bad": Status.FAIL,
        "dies": Status.FAIL,
        "good": Status.PASS,
        "hangs": Status.TIMEOUT,
        "skipped": Status.SKIP,
    }
    by_name = {test.name: test for test in found}
    assert (by_name["good"].stdout, by_name["bad"].stderr) == (b"fine\n", b"no\n")


def test_the_steps_own_deadline_ends_the_step(tmp_path: Path) -> None:
    shutil.copy("/bin/cat", tmp_path / "cat")
    with pytest.raises(TimeoutError):
        asyncio.run(run_selftests(LocalHost(), find_selftests(tmp_path, []), 60.0, Deadline.after(0.0)))
