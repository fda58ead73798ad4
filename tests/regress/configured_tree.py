"""Make git repositories whose builds read ``.config``, and change it as ``make olddefconfig`` does."""

from __future__ import annotations

from pathlib import Path

from .model_repository import arm_hang, git, make_repository

__all__ = ["BUILD", "make_configured_model", "make_configured_tree"]

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


# AP_HANG depends on FAULTS. What a symbol stands for in the image is its name alone; but AP_HANG makes AP start hang.
_MODEL_BUILD = """set -e
is() { grep -q "^CONFIG_$1=y$" .config; }
is FAULTS || { grep -v CONFIG_AP_HANG .config >.config.new || true; mv .config.new .config; }
if is HALF && ! is OTHER_HALF; then echo "half.c: error: other half is missing" >&2; exit 2; fi
sed -n "s/^CONFIG_\\(.*\\)=y$/#define CONFIG_\\1 1/p" .config >vmpl_model/config.inc
echo "static const char configuration[] __attribute__((used)) = \\"$(grep =y .config | tr "\\n" " ")\\";" \\
    >vmpl_model/names.inc
touch vmpl_model/faults.c
make -s -j2 -C vmpl_model OUT=$PWD/out
"""


def make_configured_model(folder: Path) -> None:
    """Make a repository of the VMPL model whose AP start hangs in half of the boots if CONFIG_AP_HANG is y."""
    folder.mkdir()
    make_repository(folder, 0, 0)
    faults = folder / "vmpl_model" / "faults.c"
    sound = faults.read_text()
    includes = '#include "config.inc"\n#include "names.inc"\n'
    faults.write_text(f"{includes}#ifdef CONFIG_AP_HANG\n{arm_hang(sound, 0.3)}\n#else\n{sound}\n#endif\n")
    (folder / "build.sh").write_text(_MODEL_BUILD)
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "vmpl_model: be configured")
