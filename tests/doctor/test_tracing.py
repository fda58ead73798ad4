from __future__ import annotations

from dataclasses import replace

import pytest

from harness.doctor.finding import State
from harness.doctor.snapshot import Access, HostSnapshot

from .recorded import ask, host, with_file, with_folder


@pytest.mark.parametrize(
    ("check", "snapshot", "state", "value"),
    [
        ("tracefs mounted", host(), State.OK, "/sys/kernel/tracing"),
        ("tracefs mounted", host("container"), State.LACKS, "no"),
        ("tracefs mounted", with_file("/proc/mounts", "tracefs /t tracefs rw 0 0"), State.LACKS, "/t only"),
        ("tracefs mounted", with_file("/proc/mounts", "x\n\n y"), State.LACKS, "no"),
        ("tracefs readable", host(), State.OK, "files"),
        ("tracefs readable", host("laptop-intel"), State.UNKNOWN, "permission"),
        ("tracefs readable", with_folder("/sys/kernel/tracing", frozenset()), State.LACKS, "empty"),
        ("instances", host(), State.OK, "writable"),
        ("instances", host("container"), State.LACKS, "there is no"),
        (
            "instances",
            replace(host(), access={"/sys/kernel/tracing/instances": Access(True, False)}),
            State.LACKS,
            "not writable",
        ),
        ("instances", replace(host(), access={}), State.UNKNOWN, "not looked"),
        ("set_event_pid", host(), State.OK, "writable"),
        (
            "set_event_pid",
            replace(host(), access={"/sys/kernel/tracing/set_event_pid": Access(True, False)}),
            State.LACKS,
            "not writable",
        ),
        ("trace_clock mono", host(), State.OK, "mono"),
        ("trace_clock mono", with_file("/sys/kernel/tracing/trace_clock", "[local] mono_raw"), State.LACKS, "mono_raw"),
        ("trace_clock mono", host("laptop-intel"), State.UNKNOWN, "permission"),
        ("hist triggers", host(), State.OK, "yes"),
        (
            "hist triggers",
            with_folder("/sys/kernel/tracing/events/kvm/kvm_exit", frozenset({"format"})),
            State.NOTE,
            "perf",
        ),
        ("hist triggers", host("laptop-intel"), State.UNKNOWN, "permission"),
        ("buffer", host(), State.OK, "1408"),
        ("perf", host(), State.OK, "perf"),
        ("perf", host("container"), State.NOTE, "not found"),
        ("perf_event_paranoid", host(), State.OK, "2"),
        ("perf_event_paranoid", host("laptop-intel"), State.NOTE, "not root"),
        ("perf_event_paranoid", with_file("/proc/sys/kernel/perf_event_paranoid", ""), State.UNKNOWN, "no number"),
        ("kallsyms", host(), State.OK, "kptr_restrict 1"),
        ("kallsyms", host("container"), State.UNKNOWN, "permission"),
        ("kernel log", host(), State.OK, "6 lines"),
        ("kernel log", host("laptop-intel"), State.UNKNOWN, "permission"),
    ],
)
def test_what_is_answered(check: str, snapshot: HostSnapshot, state: State, value: str) -> None:
    answer = ask(check, snapshot)
    assert (answer.state, value in answer.value) == (state, True), answer
