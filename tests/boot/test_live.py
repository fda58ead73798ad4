"""What people see of a running boot: the phase and the last whole line."""

from harness.boot.context import Progress
from harness.boot.live import Follower
from harness.qemu.command import Stream


def follow(*pieces: tuple[Stream, bytes]) -> list[Progress]:
    seen: list[Progress] = []
    follower = Follower(seen.append)
    for stream, piece in pieces:
        follower.saw(stream, piece)
    return seen


def console(*pieces: bytes) -> list[Progress]:
    return follow(*((Stream.CONSOLE, piece) for piece in pieces))


def test_a_line_shows_once_it_is_whole() -> None:
    assert [seen.line for seen in console(b"one\ntw", b"o", b"\nthree\nfour\nfi")] == ["one", "one", "four"]


def test_a_line_split_across_pieces_is_one_line() -> None:
    assert console(b"Linux ver", b"sion 6.1", b"\n")[-1].line == "Linux version 6.1"


def test_carriage_returns_colours_and_bytes_that_are_no_text_do_not_show() -> None:
    assert console(b"\x1b[31mred\x1b[0m \xff\xfe\x07bell\r\n")[-1].line == "red bell"


def test_milestones_are_phases_even_when_split_across_pieces() -> None:
    pieces = [b"[0.0] Linux ver", b"sion 6.1\n", b"x\n[2.9] svsm-har", b"ness: init\n", b"svsm-harness: ready\n"]
    assert [seen.phase for seen in console(*pieces)] == ["qemu", "kernel", "kernel", "init", "ready"]


def test_a_milestone_counts_on_its_own_console_only() -> None:
    seen = follow((Stream.CONSOLE, b"SeaBIOS (version 1.16)\n"), (Stream.FIRMWARE, b"SeaBIOS (version 1.16)\n"))
    assert [progress.phase for progress in seen] == ["qemu", "firmware"]
    assert seen[-1].line == "SeaBIOS (version 1.16)"  # the console's; the firmware's own output is not shown


def test_a_phase_that_no_console_shows_is_noted() -> None:
    seen: list[Progress] = []
    follower = Follower(seen.append)
    follower.note("memory")
    follower.saw(Stream.CONSOLE, b"text\n")
    follower.note("step a")
    assert seen == [Progress("memory", ""), Progress("memory", "text"), Progress("step a", "text")]


def test_a_flood_without_a_newline_is_bounded() -> None:
    seen: list[Progress] = []
    follower = Follower(seen.append)
    for _ in range(1000):
        follower.saw(Stream.CONSOLE, b"y" * 65536)
    assert sum(map(len, follower._ends.values())) <= 4096
    follower.saw(Stream.CONSOLE, b"\nend\n")
    assert seen[-1].line == "end"
