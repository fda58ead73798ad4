"""A folder that looks enough like tracefs for the scripts, and a real one where this machine lets us."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

EVENT_FORMAT = """\
name: {name}
ID: 7
format:
\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;

\tfield:unsigned int vcpu_id;\toffset:8;\tsize:4;\tsigned:0;

print fmt: "vcpu %u", REC->vcpu_id
"""
STATS = "entries: 0\noverrun: {lost}\ncommit overrun: 0\nbytes: 0\ndropped events: 0\nread events: 2\n"
# mkdir makes an instance as the kernel does: with all its files. rmdir takes them along, unless it is busy.
_MKDIR = """\
#!/bin/sh
case $1 in */instances/*) cp -r "{template}" "$1"; mkfifo "$1/trace_pipe"; exit;; esac
exec /bin/mkdir "$@"
"""
_RMDIR = """\
#!/bin/sh
case $1 in svsm-*|*/instances/*) [ -e "{root}/busy" ] && exit 1; cp -r "$1" "{root}/removed"; exec rm -r "$1";; esac
exec /bin/rmdir "$@"
"""
# A pipe that is never written would be opened for ever: this dd ends at once with what the trace shall be.
_DD = """\
#!/bin/sh
case $1 in if=trace_pipe) exec /bin/cat "{root}/trace";; esac
exec /bin/dd "$@"
"""


def make_tracefs(root: Path, monkeypatch: pytest.MonkeyPatch, events: tuple[str, ...] = ("kvm:kvm_exit",)) -> Path:
    """Make the folder, and let scripts that LocalHost runs find it in place of the real one."""
    template, tools = root / "template", root / "tools"
    tracefs = root / "tracing"
    for folder in (template / "per_cpu" / "cpu0", tools, tracefs / "instances", tracefs / "per_cpu" / "cpu0"):
        folder.mkdir(parents=True)
    for event in events:
        system, _, name = event.partition(":")
        for base in (template, tracefs):
            (base / "events" / system / name).mkdir(parents=True)
            (base / "events" / system / name / "id").write_text("7\n")
            (base / "events" / system / name / "format").write_text(EVENT_FORMAT.format(name=name))
            (base / "events" / system / name / "enable").write_text("0\n")
    (template / "per_cpu" / "cpu0" / "stats").write_text(STATS.format(lost=0))
    (tracefs / "trace_clock").write_text("[local] global mono boot\n")
    (root / "trace").write_bytes(b"")
    for tool, text in (("mkdir", _MKDIR), ("rmdir", _RMDIR), ("dd", _DD)):
        (tools / tool).write_text(text.format(template=template, root=root))
        (tools / tool).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.setenv("SVSM_TRACEFS", str(tracefs))
    return tracefs


def real_tracefs() -> Path:
    """Return this machine's tracefs, or skip the test with what is missing."""
    tracefs = Path("/sys/kernel/tracing")
    if os.geteuid() != 0:
        pytest.skip("needs root for tracefs")
    if not (tracefs / "trace_clock").exists():
        pytest.skip("tracefs is not mounted here: mount -t tracefs nodev /sys/kernel/tracing")
    return tracefs
