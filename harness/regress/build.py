"""Build commits in a worktree of their own, once for each tree and command."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.clock import monotonic_s
from harness.errors import InputError
from harness.regress.git_range import Commit, Repository
from harness.regress.kconfig import config_identity, parse_config
from harness.units import format_duration

__all__ = ["BuildFailed", "Builder", "Built", "Config", "require_build_options"]

_LAST_LINES = 5
_LOG = "build.log"
# Linux Documentation/kbuild/reproducible-builds.rst: without these, no two builds of a kernel are alike, and a commit
# that changes nothing cannot be told by its image.
_STILL = {
    "KBUILD_BUILD_TIMESTAMP": "1970-01-01",
    "KBUILD_BUILD_VERSION": "1",
    "KBUILD_BUILD_USER": "svsm-harness",
    "KBUILD_BUILD_HOST": "bisect",
}


class BuildFailed(Exception):
    """Say that a commit cannot be built; the text has the last lines of the build."""


@dataclass(frozen=True, slots=True)
class Config:
    """Be a kernel configuration to build with: ``text``, put at ``path`` in the worktree before the build."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Built:
    """Be what a commit was built to; ``took_s`` is 0 where it was there already.

    ``used`` is the configuration as the build left it, by symbol; None: it was given none.
    """

    path: Path
    digest: str
    took_s: float
    used: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Builder:
    """Build ``artifact`` (a path in the worktree) by ``command`` (a shell command, run in the worktree).

    The worktree stays as the last build left it, so that make and ccache find what has not changed. A build gets no
    standard input: one that asks a question reads its end, and fails instead of waiting for ever. ``say`` gets a
    sentence before and after each; a commit that was built earlier has none.
    """

    repository: Repository
    command: str
    artifact: str
    cache: Path
    limit_s: float
    environment: Mapping[str, str]
    say: Callable[[str], None] = lambda _: None

    def build(self, commit: Commit, config: Config | None = None) -> Built:
        """Return the artifact of ``commit``, from the cache if its tree was built by this command before.

        With ``config``, the cache knows the configuration too. Two that the build has made the same (by ``make
        olddefconfig``) have one artifact, the first: kernels hold the time of their build, so that no two are alike.

        :raise BuildFailed: if it cannot be built.
        :raise InputError: if git refuses the worktree.
        """
        asked = () if config is None else (config.path, config.text)
        kept = self._kept("artifacts", commit, *asked)
        written = kept.parent / "used" / "config"
        if kept.exists():
            return Built(kept, _digest(kept), 0.0, None if config is None else _read_config(written))
        begin_s = monotonic_s()
        self.cache.mkdir(parents=True, exist_ok=True)
        with FileLock(self.cache / "worktree.lock"):
            worktree = self._worktree(commit)
            if config is not None:
                (worktree / config.path).parent.mkdir(parents=True, exist_ok=True)
                (worktree / config.path).write_text(config.text)
            self.say(f"{commit.label}: building; its output goes to {self.cache / _LOG}")
            self._make(worktree)
            made = worktree / self.artifact
            if not made.is_file():
                raise BuildFailed(f"the build made no {self.artifact}")
            used = None
            if config is not None:
                used = _read_config(worktree / config.path)
                _keep(worktree / config.path, written)
                first = self._kept("configured", commit, config.path, config_identity(used))
                if not first.exists():
                    _keep(made, first)
                made = first
            _keep(made, kept)
        took_s = monotonic_s() - begin_s
        self.say(f"{commit.label}: built in {format_duration(took_s)}")
        return Built(kept, _digest(kept), took_s, used)

    def _kept(self, folder: str, commit: Commit, *more: str) -> Path:
        key = hashlib.sha256("\0".join((commit.tree, self.command, self.artifact, *more)).encode()).hexdigest()[:32]
        return self.cache / folder / key / Path(self.artifact).name

    def _worktree(self, commit: Commit) -> Path:
        name = hashlib.sha256(str(self.repository.folder.resolve()).encode()).hexdigest()[:16]
        worktree = self.cache / f"worktree-{name}"
        if (worktree / ".git").exists():
            Repository(worktree).git("checkout", "--quiet", "--detach", "--force", commit.hash)
        else:
            self.repository.git("worktree", "prune")
            self.repository.git("worktree", "add", "--quiet", "--detach", "--force", str(worktree), commit.hash)
        # What an earlier commit built must not pass for this one's.
        (worktree / self.artifact).unlink(missing_ok=True)
        return worktree

    def _make(self, worktree: Path) -> None:
        log = self.cache / _LOG
        with log.open("wb") as output:
            child = subprocess.Popen(
                ["/bin/sh", "-c", self.command],
                cwd=worktree, env={**_STILL, **self.environment}, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
            try:
                status = child.wait(self.limit_s)
            except subprocess.TimeoutExpired as error:
                raise BuildFailed(f"the build did not end within {self.limit_s:.0f} s; {log} has its words") from error
            finally:
                if child.poll() is None:
                    os.killpg(child.pid, signal.SIGKILL)
                    child.wait()
        if status:
            last = "\n".join(log.read_text(errors="replace").splitlines()[-_LAST_LINES:])
            raise BuildFailed(f"the build ended with status {status} (it has no standard input to ask on):\n{last}")


def require_build_options(build: str | None, artifact: str | None, into: str | None) -> tuple[str, str, str]:
    """Return all three.

    :raise InputError: naming the one that is missing.
    """
    for name, value in (("--build", build), ("--artifact", artifact), ("--into", into)):
        if not value:
            raise InputError(
                f"--git needs {name}: the command that builds, the file that it makes, the variable for it"
            )
    assert build and artifact and into
    return build, artifact, into


def _keep(made: Path, kept: Path) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    part = kept.with_name(f".{kept.name}.part")
    shutil.copy(made, part)  # with its mode: it may be a program
    part.replace(kept)


def _read_config(path: Path) -> Mapping[str, str]:
    try:
        return parse_config(path.read_text(), str(path))
    except (OSError, ValueError, InputError) as error:
        raise BuildFailed(f"the configuration cannot be read after the build: {error}") from error


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
