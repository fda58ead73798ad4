from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import HostSnapshot

from .recorded import DENIED, ask, host, with_cpu, with_file, with_leaf, with_log


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("SNP ASIDs", host(), State.OK, "99 for"),
        ("SNP ASIDs", with_leaf(edx=1), State.LACKS, "0 for"),
        ("SNP ASIDs", with_leaf(edx=0), State.LACKS, "0 for"),
        ("SNP ASIDs", replace(host(), cpuid=DENIED), State.UNKNOWN, "permission"),
        ("all ASIDs", host(), State.OK, "509"),
        ("free ASIDs", host(), State.OK, "99 of 99"),
        ("free ASIDs", with_file("/sys/fs/cgroup/misc.current", "sev 0\nsev_es 99"), State.LACKS, "0 of 99"),
        ("free ASIDs", with_file("/sys/fs/cgroup/misc.current", "sev_es"), State.UNKNOWN, "99 in all"),
        ("free ASIDs", host("container"), State.UNKNOWN, "no /sys"),
        ("locked memory", host(), State.NOTE, "8M"),
        ("locked memory", replace(host(), memlock_bytes=None), State.OK, "unlimited"),
        ("locked memory", replace(host(), memlock_bytes=2 << 30), State.OK, "2G"),
        ("memory", host(), State.OK, "available"),
        ("memory", with_file("/proc/meminfo", "MemAvailable: 1000 kB"), State.LACKS, "0"),
        ("memory", with_file("/proc/meminfo", "MemAvailable: much"), State.UNKNOWN, "no MemAvailable"),
        ("group's memory", host("container"), State.OK, "4G"),
        ("group's memory", with_file("/sys/fs/cgroup/memory.max", "max"), State.OK, "max"),
        ("group's memory", with_file("/sys/fs/cgroup/memory.max", "1048576"), State.NOTE, "1M"),
        ("results", host(), State.OK, "400G"),
        ("results", replace(host(), results_writable=False), State.LACKS, "not writable"),
        ("results", replace(host(), results_free_bytes=1 << 20), State.LACKS, "1M free"),
        ("results", replace(host(), results_free_bytes=DENIED), State.UNKNOWN, "permission"),
        ("CPUs", host(), State.OK, "0-127"),
        ("open files", host(), State.OK, "1024"),
        ("open files", replace(host(), open_files=64), State.NOTE, "64"),
        ("open files", replace(host(), open_files=None), State.OK, "unlimited"),
        ("setpriv", host(), State.OK, "setpriv"),
        ("setpriv", replace(host(), programs={}), State.LACKS, "not found"),
        ("container", host("container"), State.NOTE, "dockerenv"),
        ("container", host(), State.OK, "no sign"),
        ("container", with_file("/run/systemd/container", "podman"), State.NOTE, "podman"),
        ("clock source", host(), State.OK, "tsc"),
        (
            "clock source",
            with_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet"),
            State.NOTE,
            "hpet",
        ),
        ("TSC stable", host(), State.OK, "no complaint"),
        ("TSC stable", with_log("tsc: Marking TSC unstable due to clocksource watchdog"), State.NOTE, "unstable"),
        ("TSC frequency", host(), State.OK, "constant_tsc nonstop_tsc"),
        ("TSC frequency", with_cpu("flags", "constant_tsc"), State.NOTE, ""),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
