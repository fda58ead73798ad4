"""``shell`` as a person uses it, here and on a machine behind SSH: every way in that it prints leads in."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
from contextlib import ExitStack
from pathlib import Path

import pytest
from ssh_server import serve

from .command import Bench
from .test_keep import ask

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ssh") is None, reason="there is no ssh to log in by"),
]
SCENARIO = """
name: stay
about: A guest to look around in.
machine: {memory: 512M}
expect:
  - startup: {milestones: [ready]}
"""


@pytest.mark.parametrize("host", ["local", "loopback"])
def test_every_way_in_leads_in(bench: Bench, tmp_path: Path, host: str) -> None:
    (bench.folder / "stay.yaml").write_text(SCENARIO)
    with ExitStack() as stack:
        if host != "local":
            server = stack.enter_context(serve(tmp_path / "server"))
            (bench.folder / "hosts.yaml").write_text(server.inventory)
            bench.environment = {"SVSM_HARNESS_HOSTS": str(bench.folder / "hosts.yaml")}
        process = stack.enter_context(bench.start("shell", "stay.yaml", "--platform", "tcg", "--host", host))
        said = bench.until_said(process, "Ctrl-C ends", process.stdout)
        login = re.search(r"log in +(ssh .*)", said)
        monitor = re.search(r"READLINE TCP:127\.0\.0\.1:(\d+)", said)
        assert login is not None and monitor is not None, said
        words = [*shlex.split(login[1]), "cat /proc/sys/kernel/ostype"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.stdout == "Linux\n", done.stderr
        assert ask(int(monitor[1]), "query-status")[-1]["return"]["status"] == "running"
        os.kill(process.pid, signal.SIGINT)
        ended = bench.finish(process)
    assert ended.status == 0 and "nothing is left running" in ended.err
    bench.until_alone()
