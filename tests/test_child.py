import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from harness.child import harness_argv, run_child


def test_a_command_is_run_by_this_python(tmp_path: Path) -> None:
    (tmp_path / "harness").mkdir()  # must not take the package's place
    done = run_child(["schema"], tmp_path)
    assert done.status == 0 and done.out.startswith("{")
    assert run_child(["validate", "missing.yaml"], tmp_path).status == 2


def test_an_interrupt_reaches_the_command_and_is_waited_for(tmp_path: Path) -> None:
    # In place of the harness, something that needs a moment to end well.
    program = f"""
import harness.child, sys
harness.child.harness_argv = lambda words: [sys.executable, "-c", '''
import pathlib, time
here = pathlib.Path({str(tmp_path)!r})
try:
    (here / "up").touch()
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)
    (here / "cleaned up").touch()
''']
try:
    harness.child.run_child([])
except KeyboardInterrupt:
    sys.exit(7)
"""
    with subprocess.Popen([sys.executable, "-c", program], process_group=0) as parent:
        end_s = time.monotonic() + 30
        while not (tmp_path / "up").exists() and time.monotonic() < end_s:
            time.sleep(0.01)
        os.kill(parent.pid, signal.SIGINT)
        assert parent.wait(30) == 7
    assert (tmp_path / "cleaned up").exists()
    assert harness_argv(["run"])[-3:] == ["-m", "harness.cli", "run"]
