"""Read the commits of a range from git, by first parents, and those that a merge brought in."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import InputError

__all__ = ["Commit", "Repository"]


@dataclass(frozen=True, slots=True)
class Commit:
    """Be a commit: its full hash, the hash of its tree, its subject, how many parents it has."""

    hash: str
    tree: str
    subject: str
    parents: int

    @property
    def label(self) -> str:
        """Render as in a ``Fixes:`` line: 12 digits and the subject."""
        return f'{self.hash[:12]} ("{self.subject}")'


@dataclass(frozen=True, slots=True)
class Repository:
    """Be a checkout, which is only read: builds happen in worktrees."""

    folder: Path

    def git(self, *words: str) -> str:
        """Run git and return what it printed.

        :raise InputError: with git's own words if it refuses.
        """
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *words],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            )  # fmt: skip
        except FileNotFoundError as error:
            raise InputError("there is no git; install it") from error
        if done.returncode:
            raise InputError(f"{self.folder}: git {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def require_clean(self) -> None:
        """Check that nothing is changed but not committed: the builds would not hold it, and mislead.

        :raise InputError: naming what is changed.
        """
        changed = self.git("status", "--porcelain", "--untracked-files=no").splitlines()
        if changed:
            raise InputError(
                f"{self.folder} has changes that are not committed ({changed[0].strip()}, {len(changed)} in all); "
                "commit or stash them: builds are made of commits"
            )

    def commits(self, good: str, bad: str) -> tuple[Commit, ...]:
        """Return ``good`` and every commit by first parents after it up to ``bad``, oldest first.

        :raise InputError: if one does not exist, or there are no commits between them.
        """
        first, last = (self._one(name) for name in (good, bad))
        after = self._list("--first-parent", f"{first.hash}..{last.hash}")
        if not after:
            if self._list(f"{last.hash}..{first.hash}"):
                raise InputError(
                    f"there are no commits from {good} to {bad}, but there are from {bad} to {good}: swap them"
                )
            raise InputError(f"there are no commits from {good} to {bad}")
        return (first, *after)

    def commit(self, name: str) -> Commit:
        """Return the commit of that name.

        :raise InputError: if there is none.
        """
        return self._one(name)

    def inside(self, merge: str) -> tuple[tuple[Commit, ...], ...]:
        """Return, for each branch of a merge: the point where it left, its commits, and the merge itself.

        Empty for no merge. A branch is the line of its first parents; what is merged into it shows as such merges.

        :raise InputError: if there is no such commit.
        """
        commit = self._one(merge)
        if commit.parents < 2:
            return ()
        branches = []
        for number in range(2, commit.parents + 1):
            try:
                left = self.git("merge-base", f"{commit.hash}^1", f"{commit.hash}^{number}").strip()
            except InputError:
                continue  # a history of its own, such as a driver's, has no point where it left
            line = self._list("--first-parent", f"{left}..{commit.hash}^{number}")
            if line:
                branches.append((self._one(left), *line, commit))
        return tuple(branches)

    def _one(self, name: str) -> Commit:
        found = self._list("--no-walk", f"{name}^{{commit}}")
        return found[0]

    def _list(self, *words: str) -> tuple[Commit, ...]:
        text = self.git("log", "--reverse", "--format=%H%x00%T%x00%P%x00%s", *words, "--")
        rows = [line.split("\0", 3) for line in text.splitlines()]
        return tuple(Commit(row[0], row[1], row[3], len(row[2].split())) for row in rows)

    def bisect_log(self, steps: Sequence[tuple[str, Commit]]) -> str:
        """Render (good, bad or skip; commit) as ``git bisect replay`` reads it."""
        lines = ["git bisect start"]
        for word, commit in steps:
            lines += [f"# {word}: [{commit.hash}] {commit.subject}", f"git bisect {word} {commit.hash}"]
        return "\n".join(lines) + "\n"
