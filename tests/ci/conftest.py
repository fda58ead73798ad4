"""A small checkout for the set-up scripts: their real code, a tiny project and a recording package manager."""

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

_CI = Path(__file__).resolve().parents[2] / "ci"

# An in-tree build backend (PEP 660) that needs nothing from an index: pip installs the tiny project without a network.
_BACKEND = """
import zipfile
NAME = "tiny-0.1"
EXTRAS = "Provides-Extra: report\\nProvides-Extra: dev\\n"
def _wheel(folder):
    with zipfile.ZipFile(folder + "/" + NAME + "-py3-none-any.whl", "w") as wheel:
        info = NAME + ".dist-info/"
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: tiny\\nVersion: 0.1\\n" + EXTRAS)
        tags = "Root-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: tiny\\n" + tags)
        wheel.writestr(info + "entry_points.txt", "[console_scripts]\\nsvsm-harness = tiny:main\\n")
        wheel.writestr(info + "RECORD", "")
        wheel.writestr("tiny.py", STUB)
    return NAME + "-py3-none-any.whl"
STUB = '''
import os, pathlib, sys
def main():
    print("stub", *sys.argv[1:])
    if sys.argv[1] == "doctor":
        return 5
    if sys.argv[1] == "report":
        return int(os.environ.get("STUB_REPORT", "0"))
    status = int(os.environ.get("STUB_STATUS", "0"))
    if status != 2:
        pathlib.Path("results/r1").mkdir(parents=True)
        pathlib.Path("results/latest").symlink_to("r1")
    return status
'''
def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory)
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    return _wheel(wheel_directory)
"""

_PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "tiny"
version = "0.1"
[project.optional-dependencies]
report = []
dev = []
"""

# Records every call; `install` makes each named package a program of that name, unless it was told to fail.
_APT_GET = """#!/bin/bash
echo "apt-get $*" >>"$RECORD"
[[ -e $RECORD.fail ]] && { echo "E: no such package"; exit 100; }
case " $* " in
    *" install "*) for last in "$@"; do :; done; printf '#!/bin/sh\\n' >"$FAKE_BIN/$last"; chmod +x "$FAKE_BIN/$last" ;;
esac
"""

_SUDO = """#!/bin/bash
echo "sudo $*" >>"$RECORD"
exec "$@"
"""


# Tests that run as root run the scripts as nobody: most of what is tested is that nothing asks for root.
# env comes last because setpriv itself still has root's capabilities when it starts a program.
_AS_USER = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env"] if os.geteuid() == 0 else []


@functools.cache
def _python() -> str:
    """Return a Python that an ordinary user may run and make environments with: not one below root's home."""
    probe = "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))"
    for python in (sys._base_executable, "/usr/bin/python3"):  # type: ignore[attr-defined]
        done = subprocess.run([*_AS_USER, python, "-c", probe], cwd="/", capture_output=True, check=False)
        if done.returncode == 0:
            return str(python)
    pytest.fail("no Python >= 3.11 with venv can be run by an ordinary user here; install python3-venv")


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout in ``root``; ``bin`` comes first on PATH; ``record`` lists the calls of apt-get and sudo."""

    root: Path
    bin: Path
    record: Path

    def table(self, *rows: str) -> None:
        """Write packages.table with these data rows, ``need | probe | apt``; the other columns are filled in."""
        lines = ["need | probe | apt | dnf | zypper | pacman | why | otherwise"]
        lines += [f"{row} | d | z | p | because | do it by hand" for row in rows]
        (self.root / "ci/packages.table").write_text("\n".join(lines) + "\n")

    def calls(self) -> list[str]:
        """Return the recorded calls, oldest first."""
        return self.record.read_text().splitlines()

    def program(self, name: str, body: str = "") -> None:
        """Put a shell program on PATH."""
        path = self.bin / name
        path.write_text(f"#!/bin/bash\n{body}\n")
        path.chmod(0o755)

    def bash(self, script: str, *, offline: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``script`` as an ordinary user, after sourcing ci/setup.sh with the settings of a test.

        ``offline`` takes every network device away where the machine allows it, and the proxies' port always.
        """
        prelude = "set -euo pipefail; ROOT=$PWD; . ci/setup.sh; OS_RELEASE=$PWD/os-release; BOOT=$PWD/boot; "
        return self.run(["bash", "-c", prelude + script], offline=offline, **env)

    def run(self, argv: list[str], *, offline: bool = False, **env: str) -> subprocess.CompletedProcess[str]:
        """Run ``argv`` in the checkout as an ordinary user: nobody, where the tests run as root."""
        whole = {
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "HOME": str(self.root),
            "RECORD": str(self.record),
            "FAKE_BIN": str(self.bin),
            "SVSM_HARNESS_PYTHON": _python(),
            "PIP_INDEX_URL": "http://127.0.0.1:9/",
            "PIP_RETRIES": "0",
            "PIP_CONFIG_FILE": os.devnull,
            "LC_ALL": "C.UTF-8",
        }
        if offline:
            whole |= {name: "http://127.0.0.1:9/" for name in ("http_proxy", "https_proxy", "all_proxy")}
        whole |= env
        argv = [*_AS_USER, *argv]
        if offline and _AS_USER:
            argv = ["unshare", "--net", *argv]
        return subprocess.run(argv, cwd=self.root, env=whole, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    """Yield a checkout that an ordinary user may write, outside pytest's own folder, which only its owner may enter."""
    with tempfile.TemporaryDirectory(prefix="svsm-harness-ci-") as name:
        top = Path(name)
        root, fake = top / "checkout", top / "bin"
        shutil.copytree(_CI, root / "ci", ignore=shutil.ignore_patterns("bench*"))
        fake.mkdir()
        (root / "scenarios").mkdir()
        (root / "boot").mkdir()
        (root / "boot/vmlinuz-1").touch()
        (root / "scenarios/boot.yaml").touch()
        (root / "pyproject.toml").write_text(_PYPROJECT)
        (root / "backend.py").write_text(_BACKEND)
        (root / "os-release").write_text("ID=debian\n")
        record = top / "record"
        record.touch()
        made = Checkout(root, fake, record)
        made.program("apt-get", _APT_GET)
        made.program("sudo", _SUDO)
        made.table("run | python:3.11 | python3-venv")
        if os.geteuid() == 0:
            for path in (top, *top.rglob("*")):
                os.chown(path, 65534, 65534)
        yield made
