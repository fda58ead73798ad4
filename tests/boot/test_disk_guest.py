"""A real Debian boots by OVMF from a disk that is never written; cloud-init lets this boot's key in."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from harness.host.cache import cache_dir

from .debian_image import build_debian_image, missing_tools

OVMF = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
SCENARIO = """
name: disk
about: A system of the distribution boots by UEFI from a disk.
machine:
  vcpus: 2
  memory: 1G
  pflash: {code: /usr/share/OVMF/OVMF_CODE_4M.fd, vars: /usr/share/OVMF/OVMF_VARS_4M.fd}
guest: {disk: "${DISK}", files: {/etc/from-the-harness: "${FILE}"}}
platforms: {tcg: }
timeout: 6m
steps:
  - guest:
      name: system
      run: "cat /etc/os-release /etc/from-the-harness; ls -d /sys/firmware/efi; touch /written; sync"
  - cpu_offline_online: {count: 1, cpu: 1}
expect:
  - vcpus_online: 2
  - startup: {milestones: [kernel, ready]}
"""


def _image() -> Path:
    # Built once: it is kept by what goes into it, as the guest images are.
    source = Path(__file__).with_name("debian_image.py").read_bytes()
    return cache_dir(os.environ) / "test-images" / hashlib.sha256(source).hexdigest()[:16]


@pytest.mark.slow
@pytest.mark.qemu
def test_a_debian_boots_by_ovmf_from_a_disk_and_lets_us_in(tmp_path: Path) -> None:
    missing = missing_tools() + [name for name in ("qemu-system-x86_64",) if shutil.which(name) is None]
    image = _image()
    if missing and not (image / "disk.raw").exists():
        pytest.skip(f"there is no {', '.join(missing)} to build a Debian image with")
    if os.geteuid() != 0 and not (image / "disk.raw").exists():
        pytest.skip("debootstrap needs root")
    if not OVMF.exists():
        pytest.skip(f"there is no {OVMF}; install ovmf")
    disk = build_debian_image(image)
    (tmp_path / "s.yaml").write_text(SCENARIO)
    (tmp_path / "file").write_text("by the seed\n")
    before = disk.stat()
    given = ["--set", f"DISK={disk}", "--set", f"FILE={tmp_path / 'file'}", "--results", str(tmp_path / "results")]
    run = [sys.executable, "-m", "harness.cli", "run", str(tmp_path / "s.yaml"), *given]
    done = subprocess.run(run, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (record,) = (tmp_path / "results").glob("2*/boots/*/boot.json")
    system, cpu = json.loads(record.read_text())["steps"]
    assert "ID=debian" in system["output"] and "by the seed" in system["output"]
    assert "/sys/firmware/efi" in system["output"]
    assert cpu["output"].strip() == "# cpu number=1 cycles=1"
    # It wrote to its disk, and the image is what it was.
    after = disk.stat()
    assert (after.st_mtime_ns, after.st_size) == (before.st_mtime_ns, before.st_size)
