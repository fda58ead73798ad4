"""``run --keep`` as a person uses it: a guest that hangs stays until Ctrl-C, and is recorded as without it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from ssh_server import serve

from harness.boot.plan import RefusedBoot
from harness.boot.run import PlannedBoot
from harness.cli.keep import keep_stay, with_keep
from harness.qemu.command import Accel
from harness.results.record import BootIdentity

from .command import Bench

HANG = ("--set", "how=HANG")


def test_only_boots_that_are_made_can_be_kept() -> None:
    refused = RefusedBoot(BootIdentity("s", "s", "s", "s.yaml", "kvm"), "no KVM")
    planned: Any = PlannedBoot(None, None, None, Accel.TCG)  # type: ignore[arg-type]

    async def plans() -> list[Any]:
        return [refused, planned]

    first, second = asyncio.run(with_keep(plans(), keep=True))
    assert first is refused
    assert isinstance(second, PlannedBoot) and second.stay is not None
    assert list(asyncio.run(with_keep(plans(), keep=False))) == [refused, planned]
    assert keep_stay(False) is None


def ask(port: int, *commands: str) -> list[Any]:
    with socket.create_connection(("127.0.0.1", port), 10) as monitor:
        lines = monitor.makefile("rw")
        answers = [json.loads(lines.readline())]
        for command in ("qmp_capabilities", *commands):
            lines.write(json.dumps({"execute": command}))
            lines.flush()
            answers.append(json.loads(lines.readline()))
        return answers


@pytest.mark.qemu
@pytest.mark.parametrize("host", ["local", "loopback"])
def test_a_guest_that_hangs_is_kept_until_ctrl_c(bench: Bench, tmp_path: Path, host: str) -> None:
    with ExitStack() as stack:
        if host != "local":
            server = stack.enter_context(serve(tmp_path / "server"))
            (bench.folder / "hosts.yaml").write_text(server.inventory)
            bench.environment = {"SVSM_HARNESS_HOSTS": str(bench.folder / "hosts.yaml")}
        process = stack.enter_context(
            bench.start(*bench.boot("payload.yaml", *HANG, "--keep", "--format", "json", "--host", host))
        )
        said = bench.until_said(process, "Ctrl-C ends", process.stderr)
        name = re.search(r"READLINE TCP:127\.0\.0\.1:(\d+)", said)
        port = re.search(r"target remote 127\.0\.0\.1:(\d+)", said)
        assert name is not None and port is not None
        assert ask(int(name[1]), "query-status")[-1]["return"]["status"] == "paused"
        with socket.create_connection(("127.0.0.1", int(port[1])), timeout=5) as gdb:
            gdb.sendall(b"+$?#3f")
            assert gdb.recv(1) == b"+"
            assert gdb.recv(2) == b"$T"  # stopped by a signal: GDB remote protocol, "Stop Reply Packets"
        dump = re.search(r"  memory +\w+ vmlinux (\S+)", said)
        assert dump is not None and Path(dump[1]).stat().st_size > 1000
        os.kill(process.pid, signal.SIGINT)
        done = bench.finish(process)
    (line,) = done.json["boots"]
    assert (done.status, line["status"], line["outcome"]["kind"]) == (1, "FAIL", "hang")
    assert line["outcome"]["hang"]["kind"] == "halted"
    # What is on another machine is gone with the run, as it was said.
    assert Path(dump[1]).exists() is (host == "local") is ("gone after Ctrl-C" not in said)
    bench.until_alone()


CHECKED = """\
name: checked
about: A guest that does all it is asked, and does not answer as it should.
machine: {memory: 512M}
vars: {wanted: two}
steps:
  - guest: {name: answer, run: "echo one"}
expect:
  - guest: {step: answer, matches: "^${wanted}$"}
"""


@pytest.mark.qemu
@pytest.mark.slow
def test_a_guest_that_only_a_check_fails_is_kept(bench: Bench) -> None:
    (bench.folder / "checked.yaml").write_text(CHECKED)
    words = ("run", "checked.yaml", "--platform", "tcg", "--keep", "--format", "json")
    # One that passes is not kept; and what was judged before its end leaves no trace in its record.
    good = bench.command(*words, "--set", "wanted=one")
    assert (good.status, good.json["boots"][0]["status"]) == (0, "PASS")
    assert "frozen" not in good.err
    with bench.start(*words) as process:
        said = bench.until_said(process, "Ctrl-C ends", process.stderr)
        assert re.search(r"the guest failed \(guest: .*\) and is frozen", said), said
        name = re.search(r"READLINE TCP:127\.0\.0\.1:(\d+)", said)
        assert name is not None
        assert ask(int(name[1]), "query-status")[-1]["return"]["status"] == "paused"
        os.kill(process.pid, signal.SIGINT)
        done = bench.finish(process)
    (line,) = done.json["boots"]
    assert (done.status, line["status"], line["outcome"]["kind"]) == (1, "FAIL", "ready")
    record = json.loads((bench.run / "boots/0001/boot.json").read_text())
    assert (record["losses"], record["qemu_end"]) == ([], {"status": 0, "asked": True})
    bench.until_alone()
