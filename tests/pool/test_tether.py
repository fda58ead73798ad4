import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.pool.tether import tethered


def test_what_is_started_ends_with_who_started_it(tmp_path: Path) -> None:
    script = "trap 'echo interrupted >ended; exit' INT; echo $$ >up; while :; do sleep 0.05; done"
    program = f"""
import subprocess
from harness.pool.tether import tethered
subprocess.run(tethered(["sh", "-c", {script!r}]))
"""
    with subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path) as parent:
        end_s = time.monotonic() + 30
        while not (tmp_path / "up").exists():
            assert time.monotonic() < end_s
            time.sleep(0.01)
        os.kill(parent.pid, signal.SIGKILL)
    while not (tmp_path / "ended").exists():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_status_is_handed_on() -> None:
    assert subprocess.run(tethered(["sh", "-c", "exit 7"]), check=False).returncode == 7
