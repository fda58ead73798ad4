"""The port that carries files, with a reader in place of QEMU."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.host.bulk_port import BulkPort


def test_bytes_go_through_and_no_name_is_left(tmp_path: Path) -> None:
    async def scenario() -> bytes:
        port = BulkPort(tmp_path)
        other = os.open(tmp_path / "files.in", os.O_RDONLY | os.O_NONBLOCK)  # as QEMU, which opens both ways
        port.open()
        assert list(tmp_path.iterdir()) == []
        content = os.urandom(1 << 20)
        sending = asyncio.create_task(port.send(content, Deadline.after(20)))
        got = b""
        while len(got) < len(content):
            try:
                got += os.read(other, 1 << 16)
            except BlockingIOError:
                await asyncio.sleep(0.001)
        await sending
        port.close()
        assert os.read(other, 10) == b""
        os.close(other)
        assert got == content
        return got

    asyncio.run(scenario())


def test_a_qemu_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        BulkPort(tmp_path).open()


def test_a_reader_that_stopped_is_late(tmp_path: Path) -> None:
    async def scenario() -> None:
        port = BulkPort(tmp_path)
        other = os.open(tmp_path / "files.in", os.O_RDONLY | os.O_NONBLOCK)
        port.open()
        try:
            await port.send(bytes(1 << 20), Deadline.after(0.1))
        finally:
            port.close()
            os.close(other)

    with pytest.raises(TimeoutError):
        asyncio.run(scenario())


def test_the_script_takes_just_its_bytes_from_the_port_of_this_name(tmp_path: Path) -> None:
    for name, called in (("vport0p1", "another"), ("vport0p2", "svsm-harness.files")):
        (tmp_path / "sys" / name).mkdir(parents=True)
        (tmp_path / "sys" / name / "name").write_text(f"{called}\n")
        (tmp_path / name).write_text(f"{called} content and more")
    script = BulkPort(tmp_path).script(f"{tmp_path}/it's here", 12)
    script = script.replace("/sys/class/virtio-ports", f"{tmp_path}/sys").replace("/dev/", f"{tmp_path}/")
    subprocess.run(["sh", "-c", script], check=True)
    assert (tmp_path / "it's here").read_text() == "svsm-harness"


def test_a_comma_in_the_folder_is_no_new_option(tmp_path: Path) -> None:
    (tmp_path / "a,b").mkdir()
    assert f"path={tmp_path}/a,,b/files" in BulkPort(tmp_path / "a,b").options[1]
