"""Bisect with what a nightly recorded of both ends, as a person types it, with real boots."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.boot.site import Site
from harness.cli.bisect_recorded import require_same_cpu, require_same_parts
from harness.errors import HostError, InputError
from harness.regress.boots import Booter
from harness.regress.journal import Booted, HostOpened, Journal, Recorded
from harness.regress.spec import ListSource, Spec
from harness.results.store import Run
from harness.scenario.model import Platform
from harness.stats.bisect_posterior import Tally
from tests.regress.flags_image import flags_image

from .command import Bench, Done

pytestmark = pytest.mark.qemu
SCENARIO = Path(__file__).parents[1] / "regress" / "flags_payload.yaml"
GOOD, BAD = "machine.cpu=max", "machine.cpu=max,-avx,-erms,-rdrand,-bmi1"


def _record(bench: Bench, image: Path, setting: str) -> str:
    words = ("--set", f"IMAGE={image}", "--set", setting, "--boots", "20", "--max-failure-rate", "1%", "-n", "2")
    done = bench.command("stability", SCENARIO, *words, "--format", "json")
    assert done.status in (0, 1, 3), done
    return bench.run.name


def _bisect(bench: Bench, image: Path, *words: str) -> Done:
    return bench.command(
        "bisect", SCENARIO, "--set", f"IMAGE={image}", "--good-set", GOOD, "--bad-set", BAD,
        "--signature", "check: console", "--min-rate", "20%", "--format", "json", *words,
    )  # fmt: skip


def test_what_a_nightly_recorded_of_the_ends_is_not_booted_again(bench: Bench) -> None:
    image = flags_image(bench.folder, "ONE")
    good, bad = _record(bench, image, GOOD), _record(bench, image, BAD)
    runs = {path.name for path in bench.results.glob("2*")}
    swapped = _bisect(bench, image, "--good-run", bad)
    assert swapped.status == 2
    assert f"it is no boot of the good end: machine.cpu was {BAD[12:]}, and there it is max" in swapped.err
    assert {path.name for path in bench.results.glob("2*")} == runs  # refused before there is a run

    done = _bisect(bench, image, "--good-run", good, "--bad-run", bad)
    assert done.status == 0, done
    assert done.json["title"] == "machine.cpu: with -rdrand"
    entries = list(Journal(bench.run / "journal.jsonl").entries())
    recorded = [entry for entry in entries if isinstance(entry, Recorded)]
    assert [(one.end, one.runs) for one in recorded] == [("good", (good,)), ("bad", (bad,))]
    assert recorded[0].tally.good == 20 and recorded[1].tally.bad >= 2 and recorded[1].tally.good == 0
    booted = {entry.position for entry in entries if isinstance(entry, Booted) and entry.stage == 0}
    assert booted and booted.isdisjoint({0, 4})
    proof = (bench.run / "proof.txt").read_text()
    assert f"recorded before ({good}), as tcg on " in proof and "the good end: 0 bad, 20 good, 0 other" in proof

    again = bench.command("bisect", "--resume", "latest", "--format", "json")
    assert again.status == 0 and again.json["title"] == done.json["title"]
    later = list(Journal(bench.run / "journal.jsonl").entries())
    assert [entry for entry in later if not isinstance(entry, HostOpened)] == [
        entry for entry in entries if not isinstance(entry, HostOpened)
    ]
    assert bench.command("bisect", "--replay", "latest").status == 0


def test_a_search_that_stopped_at_its_limit_goes_on_with_more_boots(bench: Bench) -> None:
    image = flags_image(bench.folder, "ONE")
    done = bench.command(
        "bisect", SCENARIO, "--set", f"IMAGE={image}", "--good-set", GOOD, "--bad-set", BAD,
        "--signature", "check: console", "--min-rate", "20%", "--boots", "3",
    )  # fmt: skip
    assert done.status == 3, done
    said = done.out.splitlines()[-1]
    assert said == f"to go on: svsm-harness bisect --resume {bench.run.relative_to(bench.folder)} --boots 6"
    assert "undecided after 3 boots" in done.out
    more = bench.command("bisect", "--resume", "latest", "--boots", "200")
    assert more.status == 0, more
    assert "machine.cpu: with -rdrand" in more.out
    assert bench.command("bisect", "--replay", "latest").status == 0


def test_an_image_that_was_built_anew_since_is_another_one(bench: Bench) -> None:
    image = flags_image(bench.folder, "ONE")
    good = _record(bench, image, GOOD)
    flags_image(bench.folder, "PAIR")
    done = _bisect(bench, image, "--good-run", good)
    assert done.status == 2, done
    assert "the recorded boots of the good end were made with payload" in done.err


def test_a_host_whose_kernel_is_searched_need_not_run_yet_and_its_cpu_is_compared_once_it_does() -> None:
    recorded = Recorded("good", ("r",), Tally(good=9), Platform.KVM, {"CPU": "EPYC 7713"})
    kernels = ListSource("host.kernel", ("a", "b"))
    spec = Spec("s.yaml", {}, (), None, (), 0.95, 0.01, None, True, lists=(kernels,), recorded=(recorded,))

    def no_host() -> Site:
        raise HostError("host virtual runs no kernel now")

    booter = Booter(Path("s.yaml"), {}, (), None, (), no_host, Run(Path()), {}, lambda *_: None)
    asyncio.run(require_same_parts(spec, booter))
    require_same_cpu(spec, HostOpened("virtual", "6.1", "EPYC 7713", 2))
    with pytest.raises(InputError, match="with CPU EPYC 7713, and here it is EPYC 9654; leave --good-run out"):
        require_same_cpu(spec, HostOpened("virtual", "6.1", "EPYC 9654", 2))


def test_the_qemu_that_brings_the_failure_is_named(bench: Bench) -> None:
    image = flags_image(bench.folder, "ONE")
    # What an emulation that has lost an instruction looks like: a wrapper takes it away.
    lost = 'case "$*" in *-kernel*) set -- "$@" -cpu max,-rdrand ;; esac'
    for name, more in (("0", ""), ("1", ""), ("2", lost), ("3", lost), ("broken", "exit 127")):
        path = bench.folder / f"qemu-{name}"
        path.write_text(f'#!/bin/sh\n# build {name}\n{more}\nexec qemu-system-x86_64 "$@"\n')
        path.chmod(0o755)
    listed = ",".join(str(bench.folder / name) for name in ("qemu-0", "qemu-1", "qemu-2", "qemu-broken", "qemu-3"))
    done = bench.command(
        "bisect", SCENARIO, "--set", f"IMAGE={image}", "--list", f"machine.qemu={listed}", "--min-rate", "20%",
        "--signature", "check: console", "--format", "json",
    )  # fmt: skip
    assert done.status == 0, done
    assert done.json["title"] == str(bench.folder / "qemu-2")
