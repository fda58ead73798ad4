"""Make a git repository whose build reads ``.config``, and changes it as ``make olddefconfig`` does."""

from __future__ import annotations

from pathlib import Path

from .model_repository import git

__all__ = ["BUILD", "make_configured_tree"]

BUILD = "sh ./build.sh"
# TRACE depends on DEBUG and is on by default with it; STAMP is what no two builds have alike, as in a kernel.
_BUILD = """set -e
is() { grep -q "^CONFIG_$1=y$" .config; }
off() { grep -v "CONFIG_$1[= ]" .config >.config.new || true; mv .config.new .config; }
is DEBUG || off TRACE
if is DEBUG && ! grep -q CONFIG_TRACE .config; then echo CONFIG_TRACE=y >>.config; fi
if is HALF && ! is OTHER_HALF; then echo "half.c: error: other half is missing" >&2; exit 2; fi
mkdir -p out
{ grep =y .config | sort || true; cat "$STAMP"; } >out/image
echo x >>"$STAMP"
"""


def make_configured_tree(folder: Path) -> None:
    """Make the repository; ``$STAMP`` names the file that counts the builds."""
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / "build.sh").write_text(_BUILD)
    git(folder, "add", "build.sh")
    git(folder, "commit", "--quiet", "-m", "begin")
