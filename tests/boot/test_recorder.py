from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.boot import recorder
from harness.boot.recorder import FLIGHT, Recorder, forget, recording
from harness.boot.vitals import Observer
from harness.clock import Deadline
from harness.evidence.records import Chunk
from harness.evidence.vitals import Look
from harness.qemu.command import Stream


class _Console:
    def __init__(self, text: bytes, chunks: list[Chunk]) -> None:
        self._text = text
        self.total_bytes = len(text)
        self.chunks = chunks

    def tail(self, size_bytes: int) -> bytes:
        return self._text[-size_bytes:]


class _Observer:
    """Look at nothing."""

    def __init__(self, text: bytes = b"", chunks: list[Chunk] | None = None) -> None:
        self.machine = SimpleNamespace(consoles={Stream.CONSOLE: _Console(text, chunks or [])})
        self.looked = asyncio.Event()
        self.count = 0
        self.silence = ""

    async def look(self, late_s: float, deadline: Deadline) -> Look:
        self.count += 1
        self.looked.set()
        asked, self.silence = not self.silence, "QEMU did not answer"
        return Look(float(self.count), late_s, "running" if asked else None, (), 0)


def _recorder(observer: _Observer) -> Recorder:
    return Recorder(cast(Observer, observer))


def _rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FLIGHT).read_text().splitlines()]


def test_it_looks_while_the_body_runs_and_then_no_more() -> None:
    async def boot() -> None:
        observer = _Observer()
        async with recording(cast(Observer, observer)) as recorder:
            assert recorder is not None
            await observer.looked.wait()
        assert [look.at_s for look in recorder.looks] == [1.0]
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert tasks == []

    asyncio.run(boot())


def test_one_answer_that_did_not_come_is_not_the_last_question(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_EVERY_S", 0.01)

    async def boot() -> None:
        observer = _Observer()
        async with recording(cast(Observer, observer)) as recorder:
            assert recorder is not None
            for _ in range(4):
                await observer.looked.wait()
                observer.looked.clear()
        assert len(recorder.looks) >= 3
        assert {look.run_state for look in recorder.looks} == {"running"}

    asyncio.run(boot())


def test_nothing_is_recorded_where_none_is_wanted() -> None:
    async def boot() -> None:
        async with recording(None) as recorder:
            assert recorder is None

    asyncio.run(boot())


def test_memory_is_bounded() -> None:
    async def boot() -> None:
        observer = _Observer()
        recorder = _recorder(observer)
        for number in range(100):
            recorder._looks.append(await observer.look(number, Deadline.after(1)))
        assert [look.at_s for look in recorder.looks] == list(map(float, range(71, 101)))

    asyncio.run(boot())


def test_the_end_of_a_boot_is_one_story(tmp_path: Path) -> None:
    text = b"long ago\nnow \xff\n"
    recorder = _recorder(_Observer(text, [Chunk(9, 5.0), Chunk(len(text), 58.0)]))
    recorder._looks.append(Look(57.0, 0.0, "running", (), 0))
    journal = [{"at_s": 2.0, "sent": {}}, {"at_s": 57.5, "event": {"event": "STOP", "data": {}}}]
    (tmp_path / "qmp.jsonl").write_text("cut\n" + "".join(json.dumps(row) + "\n" for row in journal))
    (tmp_path / "trace.log").write_text("cut\nthe last event\n")
    recorder.write(tmp_path, 60.0)
    look, event, said, trace = _rows(tmp_path)
    assert (look["at_s"], look["look"]["run_state"]) == (57.0, "running")
    assert (event["at_s"], event["qmp"]["event"]["event"]) == (57.5, "STOP")
    assert (said["at_s"], said["console"]) == (58.0, "now \ufffd\n")
    assert trace == {"trace": "the last event"}


def test_the_file_is_bounded(tmp_path: Path) -> None:
    text = b"x" * (1 << 20)
    recorder = _recorder(_Observer(text, [Chunk(end, end / 20000) for end in range(100, len(text) + 1, 100)]))
    (tmp_path / "trace.log").write_bytes(b"y\n" * (1 << 20))
    (tmp_path / "qmp.jsonl").write_bytes(b'{"at_s": 50, "sent": {}}\n' * 100_000)
    recorder.write(tmp_path, 53.0)
    said = "".join(row["console"] for row in _rows(tmp_path) if "console" in row)
    assert 60_000 < len(said) <= 64 << 10
    assert (tmp_path / FLIGHT).stat().st_size < 2 << 20


def test_a_boot_without_any_log_has_a_recording(tmp_path: Path) -> None:
    _recorder(_Observer()).write(tmp_path, 1.0)
    assert _rows(tmp_path) == []
    forget(tmp_path)
    assert not (tmp_path / FLIGHT).exists()
    forget(tmp_path)
