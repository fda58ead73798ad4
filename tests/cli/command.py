"""Run the command as a person does, in a process of its own, and see everything that it started."""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["Bench", "Done", "read_boots"]

BROKEN = Path(__file__).parents[1] / "broken"


@dataclass(frozen=True)
class Done:
    """Be a command that has ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def read_boots(run: Path) -> list[dict[str, Any]]:
    """Return the whole lines of ``boots.jsonl``; none if there is no such file yet."""
    path = run / "boots.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class Started(subprocess.Popen[str]):
    """Be a command under way; one that a failed test leaves behind is killed, and not waited for."""

    def __exit__(self, kind: type[BaseException] | None, *more: Any) -> None:
        if kind is not None:
            self.kill()
        super().__exit__(kind, *more)


@dataclass
class Bench:
    """Be a place for commands: a folder, a TMPDIR of its own, and a mark that all descendants carry."""

    folder: Path
    payloads: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.temporary.mkdir(parents=True, exist_ok=True)

    @property
    def temporary(self) -> Path:
        return self.folder / "tmp"

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def run(self) -> Path:
        """Return the folder of the last run, whether it ended or not."""
        return max(path for path in self.results.iterdir() if path.is_dir() and not path.is_symlink())

    def start(self, *words: str | Path) -> Started:
        program = Path(sys.executable).with_name("svsm-harness")
        environment = {**os.environ, "TMPDIR": str(self.temporary), "SVSM_TEST_MARK": self.mark, **self.environment}
        return Started(
            [str(program), *map(str, words)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def command(self, *words: str | Path, limit_s: float = 120) -> Done:
        with self.start(*words) as process:
            return self.finish(process, limit_s)

    def until_said(self, process: subprocess.Popen[str], last: str, stream: IO[str] | None, limit_s: float = 90) -> str:
        """Return what was said on the stream up to the line with ``last`` in it; killed when that does not come."""
        assert stream is not None
        said = ""
        impatience = threading.Timer(limit_s, process.kill)
        impatience.start()
        try:
            while last not in said:
                line = stream.readline()
                assert line, f"{last!r} never came: {said}"
                said += line
        finally:
            impatience.cancel()
        return said

    def finish(self, process: subprocess.Popen[str], limit_s: float = 60) -> Done:
        try:
            out, err = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        return Done(process.returncode, out, err)

    def boot(self, name: str, *more: str | Path, parallel: int = 2) -> Sequence[str | Path]:
        """Return the words of `run` for one of the broken guests."""
        settings = (f"DIR={BROKEN}", f"OUT={self.payloads}")
        text = (BROKEN / name).read_text()
        used = [word for setting in settings if setting.split("=")[0] in text for word in ("--set", setting)]
        return ("run", BROKEN / name, *used, "-n", str(parallel), *more)

    def descendants(self, *but: int) -> dict[int, str]:
        """Return what runs with our mark, by process id: its command line."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() not in (folder / "environ").read_bytes():
                    continue
                words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if words and int(folder.name) not in but:  # a zombie has no words
                found[int(folder.name)] = words.strip()
        return found

    def qemu(self) -> int | None:
        """Return the process id of a QEMU that boots something; None if there is none."""
        for pid, words in self.descendants().items():
            if "qemu-system" in words.split()[0] and "-kernel" in words:
                return pid
        return None

    def until(self, what: Callable[[], Any], process: subprocess.Popen[str], limit_s: float = 60) -> Any:
        """Return what ``what`` returns once that is true; the command must not end before."""
        end_s = time.monotonic() + limit_s
        while time.monotonic() < end_s:
            try:
                if answer := what():
                    return answer
            except (OSError, ValueError):
                pass  # not there yet
            assert process.poll() is None, f"ended too early: {process.communicate()}"
            time.sleep(0.002)
        raise AssertionError("it never came to that")

    def until_alone(self, limit_s: float = 5) -> None:
        """Check that nothing of ours is left running, and no temporary file."""
        end_s = time.monotonic() + limit_s
        while (left := self.descendants()) and time.monotonic() < end_s:
            time.sleep(0.01)  # nothing announces the end of somebody else's child
        assert left == {}
        assert [path.name for path in self.temporary.iterdir()] == []
