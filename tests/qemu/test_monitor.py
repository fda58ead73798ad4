"""QMP with a QEMU that refuses, hangs up, stays silent, or is early."""

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from fake_qmp import Peer, monitored

from harness.clock import Deadline
from harness.errors import HostError
from harness.qemu.monitor import Monitor, MonitorLost, QmpRefused


def play(
    script: Callable[[Peer], Awaitable[None]],
    body: Callable[[Monitor], Awaitable[None]],
    journal: Callable[[str], None] = lambda line: None,
    limit_s: float = 10,
) -> None:
    async def both() -> None:
        async with monitored(script, journal, limit_s) as monitor:
            await body(monitor)

    asyncio.run(asyncio.wait_for(both(), 30))


def soon() -> Deadline:
    return Deadline.after(10)


def test_a_command_is_answered_and_both_are_in_the_journal() -> None:
    lines: list[str] = []
    received = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        received.append(await peer.answer({"running": True}))

    async def body(monitor: Monitor) -> None:
        assert await monitor.execute("query-status", {"a": [1]}, soon()) == {"running": True}

    play(script, body, lines.append)
    assert received[0]["execute"] == "query-status" and received[0]["arguments"] == {"a": [1]}
    assert [json.loads(line) for line in lines] == [
        {"at_s": 0.25, "sent": {"execute": "query-status", "arguments": {"a": [1]}}},
        {"at_s": 0.25, "returned": {"running": True}},
    ]


def test_a_refusal_carries_what_qemu_said() -> None:
    lines: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.refuse("CommandNotFound", "The command bogus has not been found")
        await peer.answer("still here")

    async def body(monitor: Monitor) -> None:
        with pytest.raises(QmpRefused) as raised:
            await monitor.execute("bogus", None, soon())
        assert raised.value.command == "bogus"
        assert raised.value.error_class == "CommandNotFound"
        assert str(raised.value) == "QMP bogus: The command bogus has not been found (CommandNotFound)"
        assert await monitor.human("info pic", soon()) == "still here"

    play(script, body, lines.append)
    assert json.loads(lines[1])["refused"]["class"] == "CommandNotFound"


def test_a_qemu_that_hangs_up_mid_command_is_lost() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        peer.hang_up()

    async def body(monitor: Monitor) -> None:
        with pytest.raises(MonitorLost, match="QEMU hung up during QMP query-status"):
            await monitor.execute("query-status", None, soon())
        with pytest.raises(MonitorLost, match="QEMU hung up during QMP quit"):
            await monitor.execute("quit", None, soon())

    play(script, body)


def test_half_an_answer_is_no_answer() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.receive()
        peer._writer.write(b'{"return": {"runn')
        await peer._writer.drain()
        peer.hang_up()

    async def body(monitor: Monitor) -> None:
        with pytest.raises(MonitorLost):
            await monitor.execute("query-status", None, soon())

    play(script, body)


def test_silence_is_lost_at_the_deadline_and_a_late_answer_is_not_taken_for_the_next() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        slow = await peer.receive()
        quick = await peer.receive()
        await peer.send({"return": "for the first", "id": slow["id"]})
        await peer.send({"return": "for the second", "id": quick["id"]})

    async def body(monitor: Monitor) -> None:
        with pytest.raises(MonitorLost, match="QEMU did not answer QMP slow"):
            await monitor.execute("slow", None, Deadline.after(0.05))
        assert await monitor.execute("quick", None, soon()) == "for the second"

    play(script, body)


def test_an_event_that_came_before_the_wait_is_found() -> None:
    lines: list[str] = []

    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send_event("SHUTDOWN", guest=True, reason="guest-reset")
        await peer.send_event("STOP")
        await peer.answer()

    async def body(monitor: Monitor) -> None:
        await monitor.execute("query-status", None, soon())
        await asyncio.wait_for(monitor.wait_event("STOP"), 10)
        event = await asyncio.wait_for(monitor.wait_event("SHUTDOWN"), 10)
        assert (event.at_s, event.name, json.loads(event.data)) == (
            0.25,
            "SHUTDOWN",
            {"guest": True, "reason": "guest-reset"},
        )
        assert [kept.name for kept in monitor.events] == ["SHUTDOWN", "STOP"]

    play(script, body, lines.append)
    assert {"at_s": 0.25, "event": {"event": "STOP", "data": {}}} in map(json.loads, lines)


def test_an_event_in_the_same_write_as_the_greeting_is_not_missed() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.send_event("RESUME")

    async def body(monitor: Monitor) -> None:
        assert (await asyncio.wait_for(monitor.wait_event("RESUME"), 10)).data == "{}"

    play(script, body)


def test_waiting_for_an_event_wakes_for_that_one_only() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.answer()
        await peer.send_event("RTC_CHANGE", offset=1)
        await peer.answer()
        await peer.send_event("RESET", reason="host-qmp-system-reset")

    async def body(monitor: Monitor) -> None:
        waiting = asyncio.create_task(monitor.wait_event("RESET"))
        await monitor.execute("one", None, soon())
        await asyncio.wait_for(monitor.wait_event("RTC_CHANGE"), 10)
        assert not waiting.done()
        await monitor.execute("two", None, soon())
        assert (await asyncio.wait_for(waiting, 10)).text("reason") == "host-qmp-system-reset"

    play(script, body)


@pytest.mark.parametrize("how", ["silence", "hang-up", "nonsense", "greets and hangs up"])
def test_a_qemu_that_does_not_greet_is_a_host_error(how: str) -> None:
    async def script(peer: Peer) -> None:
        if how == "hang-up":
            peer.hang_up()
        elif how == "nonsense":
            await peer.send({"hello": "world"})
        elif how == "greets and hangs up":
            await peer.greet()
            peer.hang_up()

    async def body(monitor: Monitor) -> None:
        raise AssertionError("there is no monitor")

    with pytest.raises(HostError, match="did not greet"):
        play(script, body, limit_s=0.3)


def test_leaving_after_qemu_has_gone_is_quiet() -> None:
    async def script(peer: Peer) -> None:
        await peer.greet()
        await peer.answer()
        peer.hang_up()

    async def body(monitor: Monitor) -> None:
        await monitor.execute("query-status", None, soon())
        with pytest.raises(MonitorLost):
            await monitor.execute("query-status", None, soon())

    play(script, body)
