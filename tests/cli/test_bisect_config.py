"""Search two kernel configurations as a person does, with real builds and real boots."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.regress.configured_tree import BUILD, make_configured_model
from tests.regress.model_repository import git

from .command import Bench

SCENARIO = Path(__file__).parents[1] / "regress" / "ap_start.yaml"
GOOD = "# Linux/x86\nCONFIG_VMPL=y\nCONFIG_OLD=y\n# CONFIG_B is not set\nCONFIG_NR_CPUS=64\n"
BAD = """CONFIG_VMPL=y
CONFIG_B=y
CONFIG_FAULTS=y
CONFIG_NR_CPUS=512
CONFIG_HALF=y
# CONFIG_NEW is not set
CONFIG_OTHER_HALF=y
CONFIG_AP_HANG=y
CONFIG_C=y
"""


def _words(bench: Bench, good: str = GOOD, bad: str = BAD) -> tuple[str | Path, ...]:
    bench.environment = {"XDG_CACHE_HOME": str(bench.folder / "cache")}
    (bench.folder / "good.config").write_text(good)
    (bench.folder / "bad.config").write_text(bad)
    return (
        "bisect", SCENARIO, "--git", bench.folder / "tree", "--build", BUILD, "--artifact", "out/vmpl_model.elf",
        "--into", "IMAGE", "--good-config", "good.config", "--bad-config", "bad.config",
    )  # fmt: skip


@pytest.mark.qemu
@pytest.mark.slow
def test_the_symbols_that_make_ap_start_hang_are_named_among_many(bench: Bench) -> None:
    make_configured_model(bench.folder / "tree")
    done = bench.command(
        *_words(bench), "--signature", "AP never came up", "--min-rate", "10%", "--confidence", "98%", "-n", "2",
        limit_s=280,
    )  # fmt: skip
    assert done.status == 0, done
    assert done.out.splitlines()[-2] == "CONFIG_AP_HANG: absent → y; CONFIG_FAULTS: absent → y"
    assert "of 9 differences these together make the failure" in done.out
    assert "cannot be tested: the build ended with status 2" in done.err
    assert "half.c: error: other half is missing" in (bench.run / "journal.jsonl").read_text()
    assert (bench.run / "good.config").read_text() == GOOD
    replayed = bench.command("bisect", "--replay", "latest")
    assert (replayed.status, replayed.err) == (0, ""), replayed
    assert "with CONFIG_FAULTS: absent → y, it does not fail by itself" in replayed.out
    # It goes on with what it began with, whatever became of the files; here it has nothing left to do.
    boots = (bench.run / "journal.jsonl").read_bytes().count(b'"kind":"boot"')
    for name in ("good.config", "bad.config"):
        (bench.folder / name).unlink()
    resumed = bench.command("bisect", "--resume", "latest", "--format", "json")
    assert (resumed.status, resumed.json["title"]) == (0, "CONFIG_AP_HANG: absent → y; CONFIG_FAULTS: absent → y")
    assert (bench.run / "journal.jsonl").read_bytes().count(b'"kind":"boot"') == boots > 20
    # The user's own tree is as it was.
    assert git(bench.folder / "tree", "status", "--porcelain") == ""


@pytest.mark.qemu
def test_configurations_that_the_build_makes_the_same_are_refused(bench: Bench) -> None:
    make_configured_model(bench.folder / "tree")
    done = bench.command(*_words(bench, bad=f"{GOOD}CONFIG_AP_HANG=y\n"))
    assert done.status == 2, done
    assert "the build makes the same of both configurations: CONFIG_AP_HANG is n" in done.err


@pytest.mark.parametrize(
    ("more", "bad", "said"),
    [
        ((), GOOD, "do not differ"),
        ((), f"{GOOD}CONFIG_X\n", "bad.config:6: 'CONFIG_X' is no line of a kernel configuration"),
        (("--good", "HEAD~1"), BAD, "name it with --at REV"),
        (("--config-path", "/etc/config"), BAD, "write a path in the worktree"),
        (("--at", "nowhere"), BAD, "nowhere"),
        (("--list", "k=a,b"), BAD, "kernel configurations are searched by themselves"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_built(
    bench: Bench, more: tuple[str, ...], bad: str, said: str
) -> None:
    (bench.folder / "tree").mkdir()
    git(bench.folder / "tree", "init", "--quiet")
    git(bench.folder / "tree", "commit", "--quiet", "--allow-empty", "-m", "begin")
    done = bench.command(*_words(bench, bad=bad), *more)
    assert done.status == 2
    assert said in done.err
    assert not bench.results.exists()
