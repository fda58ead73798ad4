from __future__ import annotations

import hashlib
import shlex
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
from sample_results import add_boot, boot_line, make_run

from harness.checks.base import Status
from harness.errors import InputError
from harness.report.bundle import Packed, pack_boot
from harness.results.store import Run

# Writes the words that it is called with, one a line, and the content of every file among them.
FAKE_QEMU = """#!/bin/sh
for word in "$@"; do echo "$word"; done >words
for word in "$@"; do
    path=${word##*file=}
    [ ! -f "${path%%,*}" ] || cat "${path%%,*}" >>content
done
exit 33
"""


def _boot(tmp_path: Path, *options: str, **changes: object) -> Run:
    run = make_run(tmp_path / "results", [])
    line = boot_line(Status.FAIL, variant="[v='1\n2']")
    add_boot(run, line, console=b"the last words\n", **changes)  # type: ignore[arg-type]
    text = "#!/bin/sh\n# The same machine.\n/usr/bin/qemu-fake \\\n  -nodefaults"
    (run.folder / "boots" / "0001" / "qemu.sh").write_text(text + "".join(f" \\\n  {o}" for o in options) + "\n")
    return run


def _unpack(archive: Path, to: Path) -> Path:
    with tarfile.open(archive) as tar:
        tar.extractall(to, filter="data")
    (folder,) = to.iterdir()
    return folder


def _reproduce(folder: Path, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    fake = tmp_path / "bin" / "qemu-fake"
    fake.parent.mkdir(exist_ok=True)
    fake.write_text(FAKE_QEMU)
    fake.chmod(0o755)
    environment = {"PATH": f"/usr/bin:/bin:{fake.parent}", "QEMU": "qemu-fake"}
    return subprocess.run(
        ["sh", str(folder / "reproduce.sh")], cwd="/", env=environment, capture_output=True, text=True, check=False
    )


def test_the_script_boots_the_files_that_were_packed(tmp_path: Path) -> None:
    kernel, disk = tmp_path / "bzImage", tmp_path / "disk,1.img"
    kernel.write_bytes(b"KERNEL")
    disk.write_bytes(b"DISK")
    drive = f"'if=virtio,format=raw,file={str(disk).replace(',', ',,')},readonly=on'"
    run = _boot(tmp_path, f"-kernel {kernel}", f"-drive {drive}", "-append 'root=/dev/vda x=/no/file'")
    packed = pack_boot(run, "1", tmp_path / "b.tar.gz")
    kernel.unlink()
    disk.unlink()
    folder = _unpack(tmp_path / "b.tar.gz", tmp_path / "empty")
    done = _reproduce(folder, tmp_path)
    assert (done.returncode, done.stderr) == (33, "")
    assert (folder / "out" / "content").read_bytes() == b"KERNELDISK"
    words = (folder / "out" / "words").read_text().splitlines()
    assert words[0] == "-nodefaults"
    assert words[-1] == "root=/dev/vda x=/no/file"
    assert [file.inside for file in packed] == [True, True]
    assert (folder / "boot" / "console.log").read_bytes() == b"the last words\n"
    assert {path.name for path in folder.iterdir()} == {
        "README.txt", "boot", "files", "files.sha256", "line.json", "out", "reproduce.sh", "run.json", "setting.json",
    }  # fmt: skip
    assert "grade of evidence: model" in (folder / "README.txt").read_text()


def test_a_large_file_is_named_by_its_digest_and_asked_for(tmp_path: Path) -> None:
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(b"K" * 2000)
    run = _boot(tmp_path, f"-kernel {kernel}")
    (packed,) = pack_boot(run, "1", tmp_path / "b.tar.gz", largest_bytes=1000)
    digest = hashlib.sha256(b"K" * 2000).hexdigest()
    assert packed == Packed("files/kernel-bzImage", str(kernel), digest, 2000, False, False)
    folder = _unpack(tmp_path / "b.tar.gz", tmp_path / "empty")
    done = _reproduce(folder, tmp_path)
    assert done.returncode == 2
    assert digest in done.stderr and "files/kernel-bzImage" in done.stderr
    (folder / "files").mkdir()
    (folder / "files" / "kernel-bzImage").write_bytes(b"K" * 2000)
    assert _reproduce(folder, tmp_path).returncode == 33
    (folder / "files" / "kernel-bzImage").write_bytes(b"another")
    assert "WARNING" in _reproduce(folder, tmp_path).stderr  # sha256sum's: it is not what was booted


@pytest.mark.parametrize(("recorded", "known"), [("sha256:{}", True), ("sha256:0000", False)])
def test_a_kernel_that_changed_since_is_said_to_have(tmp_path: Path, recorded: str, known: bool) -> None:
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(b"KERNEL")
    made_of = {"kernel": recorded.format(hashlib.sha256(b"KERNEL").hexdigest())}
    run = _boot(tmp_path, f"-kernel {kernel}", provenance=made_of)
    (packed,) = pack_boot(run, "1", tmp_path / "b.tar.gz")
    assert packed.known is known
    text = (_unpack(tmp_path / "b.tar.gz", tmp_path / "empty") / "README.txt").read_text()
    assert ("NOT what was recorded" in text) is not known


def test_a_linux_guest_gets_its_files_and_fresh_keys(tmp_path: Path) -> None:
    initrd, extra = tmp_path / "base.cpio", tmp_path / "tool"
    initrd.write_bytes(b"BASE")
    extra.write_bytes(b"the tool's content")
    setting = {"guest": {"files": {"/usr/bin/tool": str(extra)}, "init": None}, "expect": []}
    run = _boot(tmp_path, f"-initrd {initrd}", setting=setting)
    (packed,) = pack_boot(run, "1", tmp_path / "b.tar.gz")
    content = (_unpack(tmp_path / "b.tar.gz", tmp_path / "empty") / packed.name).read_bytes()
    assert content.startswith(b"BASE") and b"the tool's content" in content and b"ssh-ed25519" in content
    extra.unlink()
    with pytest.raises(InputError, match="cannot be read now"):
        pack_boot(run, "1", tmp_path / "b.tar.gz")


def test_a_name_cannot_leave_a_comment_or_the_archive(tmp_path: Path) -> None:
    hostile = tmp_path / "a b;$(touch x)'\n.img"
    hostile.write_bytes(b"x")
    run = _boot(tmp_path, f"-kernel {shlex.quote(str(hostile))}", qemu="7.2\nrm -rf /\n")
    pack_boot(run, "1", tmp_path / "b.tar.gz")
    folder = _unpack(tmp_path / "b.tar.gz", tmp_path / "empty")
    script = (folder / "reproduce.sh").read_text()
    assert "\nrm -rf" not in script
    assert _reproduce(folder, tmp_path).returncode == 33
    assert not list(folder.rglob("x"))
    assert (folder / "reproduce.sh").stat().st_mode & stat.S_IXUSR
    with tarfile.open(tmp_path / "b.tar.gz") as tar:
        assert {(member.uid, member.uname) for member in tar} == {(0, "")}


def test_a_boot_that_never_started_cannot_be_packed(tmp_path: Path) -> None:
    run = make_run(tmp_path, [boot_line()])
    with pytest.raises(InputError, match="never started QEMU"):
        pack_boot(run, "1", tmp_path / "b.tar.gz")
    with pytest.raises(InputError, match="has no boot 7"):
        pack_boot(run, "7", tmp_path / "b.tar.gz")
