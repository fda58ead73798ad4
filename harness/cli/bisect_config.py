"""Offer the options of ``svsm-harness bisect`` that search the differences of two kernel configurations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.errors import InputError
from harness.regress.config_files import ConfigFiles, load_configs
from harness.regress.git_range import Repository
from harness.regress.spec import GitSource

__all__ = ["At", "BadConfig", "ConfigPath", "GoodConfig", "config_source", "require_configs"]

GoodConfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="With --git: a kernel configuration (.config) without the failure.", show_default=False
    ),
]
BadConfig = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The same with it: which symbols matter? One commit is built with merges of both.",
        show_default=False,
    ),
]
ConfigPath = Annotated[
    str,
    typer.Option(
        metavar="PATH", help="With --bad-config: where the build has its configuration, in the worktree: out/.config."
    ),
]
At = Annotated[str, typer.Option("--at", metavar="REV", help="With --bad-config: the commit that is built.")]


def require_configs(
    good: Path | None, bad: Path | None, repository: Path | None, revisions: tuple[str | None, str | None]
) -> ConfigFiles | None:
    """Return both configurations; None: none was given.

    :raise InputError: if only one was given, or not what belongs to them, or they cannot be read.
    """
    if good is None and bad is None:
        return None
    if good is None or bad is None:
        raise InputError("kernel configurations are compared in pairs: give --good-config and --bad-config")
    if repository is None:
        raise InputError("--good-config and --bad-config need --git REPO: the tree that is built with them")
    if any(revisions):
        raise InputError(
            "of two configurations one commit is built: name it with --at REV, and leave out --good and --bad"
        )
    return load_configs(good, bad)


def config_source(folder: Path, at: str, path: str, options: tuple[str, str, str], limit_s: float) -> GitSource:
    """Search merges of two configurations, put at ``path`` in the worktree of commit ``at``.

    ``options`` are the command that builds, the file that it makes, and the key that takes that file.

    :raise InputError: if the path is outside, there is no such commit, or the tree is dirty.
    """
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise InputError(f"--config-path {path}: write a path in the worktree, such as .config or out/.config")
    repository = Repository(folder.resolve())
    repository.require_clean()
    commit = repository.commit(at).hash
    return GitSource(str(folder.resolve()), commit, commit, *options, limit_s, path)
