from __future__ import annotations

from dataclasses import replace

import pytest
from checks.model_trace import trace

from harness.classify.hang_signs import Signs, repeats, signs_of
from harness.classify.kinds import Sure
from harness.evidence.records import BootFacts
from harness.evidence.vitals import Look, Vitals

from .hang_facts import KERNEL, cpu, hung, looks


def _signs(facts: BootFacts) -> Signs:
    signs = signs_of(facts)
    assert signs is not None
    return signs


def test_what_each_vcpu_used_and_wanted() -> None:
    first, second = _signs(hung(looks((0.25, 0.0), (0.75, 0.1)))).cpus
    assert (first.vcpu, second.vcpu) == (0, 1)
    assert first.used == pytest.approx(0.25) and first.wanted == pytest.approx(1.0)
    assert first.share == pytest.approx(0.25) and first.busy
    assert second.share == 0.0 and not second.busy


def test_looks_of_long_ago_are_not_added_up() -> None:
    close = looks((0.0,))
    early = tuple(Look(float(second), 0.0, "running", (), 0) for second in range(10))
    signs = _signs(replace(hung(), vitals=Vitals((*early, *close), closely=len(early))))
    assert signs.close_looks == 6 and signs.close_s == pytest.approx(1.0)


def test_the_last_answer_is_remembered() -> None:
    early = (Look(33.0, 0.0, "running", (), 0),)
    facts = replace(hung(), vitals=Vitals((*early, *looks((0.0,), run_state=None)), 1, silence="no answer"))
    assert _signs(facts).silence == "no answer; it last answered at 33.0 s"
    assert _signs(facts).run_state == "running"


@pytest.mark.parametrize(
    ("console", "repeated"),
    [
        (b"", False),
        (b"x" * 100, False),
        (b"x" * 5000, True),
        (b"one\ntwo\n" * 900, True),
        (b"[    1.5] one\r\n[    2.5] one\r\n" * 300, True),
        (b"".join(b"line %d\n" % n for n in range(900)), False),
        (b"the same\n" * 5, False),
    ],
)
def test_a_console_that_says_the_same(console: bytes, repeated: bool) -> None:
    assert repeats(console) is repeated


@pytest.mark.parametrize(
    ("grown_s", "moving"),
    [
        ((48.0, 49.0, 50.5), True),
        ((48.0, 48.01, 48.02, 48.03), False),  # one line, in pieces
        ((48.0, 49.0), False),
        ((47.0, 48.2, 48.4, 48.6), False),  # and then silence
        ((48.0, 49.0, 50.5, 77.0), True),  # a clock that jumped
    ],
)
def test_a_console_that_grows(grown_s: tuple[float, ...], moving: bool) -> None:
    assert bool(_signs(hung(looks((0.5,)), grown_s=grown_s)).moving) is moving


@pytest.mark.parametrize(
    ("console", "payload", "beyond"),
    [
        (b"", False, False),
        (b"\x1b[2J\x1b[01;01HBdsDxe: failed to load Boot0001\r\n", False, False),
        (b"early console in setup code\r\n", False, True),
        (b"[    0.000000] Command line: console=ttyS0\r\n", False, True),
        (b"hello\n", True, True),
        (b"", True, False),
    ],
)
def test_who_has_spoken(console: bytes, payload: bool, beyond: bool) -> None:
    facts = hung(looks((1.0,)), marks=KERNEL[:1], console=console, debug_exit=payload)
    assert _signs(facts).beyond_firmware is beyond


def test_how_sure_a_starved_guest_is() -> None:
    assert _signs(hung(looks((0.02,), (0.9,)))).starved_sure is Sure.CERTAIN
    assert _signs(hung(looks((0.1,), states="TS", main="as vCPU"))).starved_sure is Sure.LIKELY
    # A vCPU that hardly wants to run is not starved, whatever it gets; nor is one among two.
    assert not _signs(hung(looks((0.0,), (0.1,)))).starved
    assert not _signs(hung(looks((0.5,), (0.5,)))).starved


def test_places_name_the_busiest() -> None:
    signs = _signs(hung(looks((0.0, 1.0), cpus=[cpu(1), replace(cpu(2, vcpu=1, user=True), place="loop+0x2")])))
    assert signs.places == "vCPU 1 was in user space, at loop+0x2"


def test_alive_is_what_is_woken() -> None:
    assert _signs(hung(looks((0.001,)))).alive
    assert not _signs(hung(looks((0.0,)))).alive
    counted = tuple(replace(look, counts={"exits": number}) for number, look in enumerate(looks((0.0,))))
    assert _signs(hung(counted)).alive == "exits went from 0 to 5"


@pytest.mark.parametrize(("platform", "payload"), [("tcg", False), ("svsm", False), ("model", True), ("nocc", True)])
def test_a_host_trace_makes_no_payload_of_a_guest(platform: str, payload: bool) -> None:
    assert _signs(hung(looks((1.0,)), platform=platform, trace=trace([]))).payload is payload
