"""Search a set of CPU flags with real boots: where a flag matters for certain, and where nobody knows beforehand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.regress.journal import Ended, Journal, Stage, known_of
from harness.stats.bisect import AnswerKind
from tests.regress.flags_image import flags_image

from .command import Bench, Done

pytestmark = pytest.mark.qemu
FOLDER = Path(__file__).parents[1] / "regress"


def _check_against_journal(bench: Bench, done: Done) -> None:
    """Check that the answer follows from the boots, by the counts and by a replay."""
    document = done.json
    entries = list(Journal(bench.run / "journal.jsonl").entries())
    begun = next(entry for entry in entries if isinstance(entry, Stage))
    known, end = known_of(entries, 0), begun.question.candidates
    if document["answer"] == AnswerKind.FOUND:
        named = document["title"].split("; ")
        first = next(entry for entry in entries if isinstance(entry, Ended))
        assert first.first is not None and begun.labels[first.first] == named[0]
        assert set(named) <= set(begun.labels[1:])
        assert known.at(end).bad >= 3 and known.at(end).bad * known.at(0).told > known.at(0).bad * known.at(end).told
    else:
        assert known.at(end).bad == 0
        assert known.at(end).good >= begun.question.clean_boots
        assert document["sentences"][0].startswith(f"no difference: the bad end failed in 0 of {known.at(end).good}")
    replayed = bench.command("bisect", "--replay", "latest", "--format", "json")
    assert replayed.status == done.status, replayed
    assert json.loads(replayed.out)["exit_status"] == done.status
    assert replayed.err == ""


@pytest.mark.parametrize(
    ("kind", "culprits"),
    [
        ("ONE", ["machine.cpu: with -rdrand"]),
        pytest.param("PAIR", ["machine.cpu: with -smap", "machine.cpu: with -rdrand"], marks=pytest.mark.slow),
    ],
)
def test_the_flags_that_a_payload_needs_are_named_among_many(bench: Bench, kind: str, culprits: list[str]) -> None:
    image = flags_image(bench.folder, kind)
    bad = "machine.cpu=max,-avx,-erms,-rdrand,-bmi1,-umip,-smap,-adx,-fma"
    done = bench.command(
        "bisect", FOLDER / "flags_payload.yaml", "--set", f"IMAGE={image}", "--good-set", "machine.cpu=max",
        "--bad-set", bad, "--signature", "check: console", "--min-rate", "20%", "-n", "2", "--format", "json",
    )  # fmt: skip
    assert done.status == 0, done
    assert done.json["title"].split("; ") == culprits
    assert done.json["sentences"][0].startswith(
        "of 8 differences th" + ("is alone" if kind == "ONE" else "ese together")
    )
    _check_against_journal(bench, done)


def test_the_option_of_qemu_that_a_payload_does_not_bear_is_named_with_its_argument(bench: Bench) -> None:
    image = flags_image(bench.folder, "ONE")
    bad = "machine.options=[-overcommit, cpu-pm=off, -cpu, 'max,-rdrand', -no-user-config]"
    done = bench.command(
        "bisect", FOLDER / "flags_payload.yaml", "--set", f"IMAGE={image}", "--good-set", "machine.options=[]",
        "--bad-set", bad, "--signature", "check: console", "--min-rate", "20%", "-n", "2", "--format", "json",
    )  # fmt: skip
    assert done.status == 0, done
    assert done.json["title"] == "machine.options: with -cpu max,-rdrand"
    assert done.json["sentences"][0].startswith("of 3 differences this alone")
    _check_against_journal(bench, done)


@pytest.mark.slow
def test_the_cpu_flag_that_this_qemu_emulates_wrongly_is_found_or_there_is_none(bench: Bench) -> None:
    """Nobody tells it that QEMU before 10.0 breaks cmpxchg16b on some machines, in up to 30% of the boots."""
    good = "machine.cpu=max,-avx,-avx2,-cx16,-rdrand,-rdseed,-smap,-umip,-erms"
    done = bench.command(
        "bisect", FOLDER / "cpu_flags.yaml", "--good-set", good, "--bad-set", "machine.cpu=max", "--platform", "tcg",
        "--min-rate", "25%", "-n", "2", "--format", "json", limit_s=580,
    )  # fmt: skip
    assert (done.status, done.json["answer"]) in ((0, AnswerKind.FOUND), (1, AnswerKind.ABSENT)), done
    _check_against_journal(bench, done)
