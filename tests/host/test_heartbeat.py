"""A host that falls silent is noticed, though its kernel still answers for it at TCP."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence

import pytest
from ssh_server import Server

from harness.clock import Deadline
from harness.host import heartbeat
from harness.host.heartbeat import show_life
from harness.host.protocol import HostLost

from .conftest import Open


class Watch:
    """Answer with these pieces, one a time; ``...`` never comes."""

    def __init__(self, answers: Sequence[object]) -> None:
        self.answers = list(answers)
        self.signs = 0

    async def send(self, content: bytes) -> None:
        self.signs += 1

    async def receive(self) -> tuple[bytes, bytes] | None:
        answer = self.answers.pop(0) if self.answers else ...
        if answer is ...:
            await asyncio.Event().wait()
        if isinstance(answer, HostLost):
            raise answer
        return None if answer is None else (b"\n", b"")

    async def status(self) -> int | None:
        return 0


@pytest.mark.parametrize(
    ("answers", "signs", "silent"),
    [
        (["", ..., "", ..., ...], 3, True),  # two answers, and then none
        ([...], 1, True),
        (["", ..., None], 2, False),  # somebody killed the watch
        (["", None], 1, False),
        ([HostLost("h", "watching it", "gone")], 1, False),
    ],
)
def test_an_answer_that_does_not_come_is_silence(
    monkeypatch: pytest.MonkeyPatch, answers: list[object], signs: int, silent: bool
) -> None:
    monkeypatch.setattr(heartbeat, "_SIGN_OF_LIFE_S", 0.01)
    monkeypatch.setattr(heartbeat, "_UNHEARD_S", 0.05)
    watch, broken = Watch(answers), []

    async def silence() -> None:
        broken.append(True)

    asyncio.run(show_life(watch, silence))
    assert (watch.signs, bool(broken)) == (signs, silent)


def test_a_host_that_only_tcp_still_answers_for_is_lost(
    server: Server, open_host: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "_SIGN_OF_LIFE_S", 0.1)
    monkeypatch.setattr(heartbeat, "_UNHEARD_S", 1.0)

    async def scenario() -> None:
        async with open_host() as host:
            script = asyncio.create_task(host.run("echo; sleep 60", Deadline.after(60)))
            await asyncio.sleep(0.5)
            for pid in server.processes():
                os.kill(pid, signal.SIGSTOP)
            with pytest.raises(HostLost, match="was lost while running"):
                await script

    try:
        asyncio.run(scenario())
    finally:
        for pid in server.processes():
            os.kill(pid, signal.SIGCONT)
