"""Nights on real QEMU: a clean one is the baseline, evidence carries over, a regression is on the first screen."""

import json
import shutil
from pathlib import Path

import pytest

from .command import Bench, Done, read_boots

pytestmark = pytest.mark.qemu
_ROOT = Path(__file__).parents[2]
TWO_NIGHTS = _ROOT / "tests/nightly/two_nights.yaml"


def night(bench: Bench, *words: str) -> Done:
    done = bench.command("nightly", TWO_NIGHTS, *words, limit_s=120)
    print(done.out, done.err)
    return done


def campaign_of(bench: Bench) -> dict[str, object]:
    (found,) = json.loads((bench.results / "nightly/latest/night.json").read_text())["campaigns"]
    return dict(found)


@pytest.mark.slow
def test_three_nights(bench: Bench) -> None:
    first = night(bench, "--budget", "1s")
    # Nothing failed; whether the rate was decided in so short a night is the machine's business.
    assert first.status in (0, 3)
    assert (bench.results / "baselines/main.json").exists()
    before = campaign_of(bench)
    assert before["carried"] == 0 and before["bad"] == 0
    boots = read_boots(bench.folder / str(before["run"]))
    assert len(boots) == before["made"] == before["told"]

    # The same build: what the first night knows is counted on, and nothing is counted twice.
    assert night(bench, "--budget", "1s").status in (0, 3)
    again = campaign_of(bench)
    assert (again["run"], again["carried"]) == (before["run"], before["made"])
    turns = [boot["identity"]["turn"] for boot in read_boots(bench.folder / str(again["run"]))]
    assert len(turns) == len(set(turns)) == again["told"]
    kept = (bench.results / "baselines/main.json").read_bytes()

    # A patch that makes switches which nobody asked for: another build, whose campaign starts anew.
    third = night(bench, "--budget", "1s", "--set", "spurious=0.5")
    assert third.status == 1
    worse = campaign_of(bench)
    assert worse["carried"] == 0 and worse["bad"] == worse["told"] != 0
    assert (bench.results / "baselines/main.json").read_bytes() == kept
    assert "baseline main stays as it is" in third.out
    page = (bench.results / "nightly/latest/report.html").read_text()
    top, _, below = page.partition("<h2>What changed since baseline <em>main</em></h2>")
    assert "FAIL" in top.partition("<body>")[2] and "<h2>" not in top  # nothing comes before it
    assert "two-nights" in below.partition("</section>")[0]
    summary = (bench.results / "nightly/latest/summary.txt").read_text()
    got_worse = summary.partition("Worse than baseline main")[2].partition("Failure rate")[0]
    assert "two-nights" in got_worse and "nothing" not in got_worse
    assert (bench.results / "nightly/latest/report.junit.xml").exists()
    bench.until_alone()


def test_what_cannot_be_is_refused_before_anything_is_booted(bench: Bench) -> None:
    for words, why in (
        (["--budget", "8"], "--budget: '8' has no unit"),
        (["--set", "nothing=1"], "no scenario here has a variable"),
        (["--only", "nothing"], "nothing"),
    ):
        done = night(bench, *words)
        assert done.status == 2 and why in done.err
    assert not bench.results.exists()


def test_the_script_passes_its_arguments_on() -> None:
    script = (_ROOT / "ci/nightly").read_text()
    assert shutil.which("bash") and 'svsm-harness" nightly "$@"' in script
