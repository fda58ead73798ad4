"""Stop the command at every moment of its life: one clean summary, nothing left running, what is finished is kept."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.host.cache import cache_dir

from .command import BROKEN, Bench, Done, read_boots

pytestmark = pytest.mark.qemu
HANG = ("--set", "how=HANG")
#: Longer than any test: the boot ends because it is stopped, never by itself.
PATIENT = ("--set", "timeout=10m")


def has(path: Callable[[], Path], text: bytes) -> Callable[[], bool]:
    return lambda: text in path().read_bytes()


def fresh_cache(bench: Bench) -> None:
    # With the kernel that is there already: what is stopped is the build, not a download.
    cache = bench.folder / "cache" / "svsm-harness"
    cache.mkdir(parents=True)
    kernels = cache_dir(os.environ) / "kernels"
    if kernels.is_dir():
        (cache / "kernels").symlink_to(kernels)
    bench.environment = {"XDG_CACHE_HOME": str(bench.folder / "cache")}


def check(done: Done, bench: Bench, finished: int, total: int) -> None:
    """Expect one clean end: status 130, no traceback, a summary with what was finished, and nothing left."""
    assert done.status == 130, done
    assert "Traceback" not in done.err and "Exception" not in done.err and "never awaited" not in done.err, done.err
    assert done.out.count("results: ") == 1 and done.out.rstrip().splitlines()[-1].startswith("results: ")
    assert f"ended early: {total - finished} of {total} boots were not finished" in done.out
    assert len(read_boots(bench.run)) == finished
    bench.until_alone()
    shown = bench.command("show")
    assert shown.status in (0, 5) and shown.err == ""


@pytest.mark.parametrize("delay_ms", [120, 200, 300, 500])
def test_ctrl_c_while_the_command_loads(bench: Bench, delay_ms: int) -> None:
    with bench.start(*bench.boot("payload.yaml", *HANG, *PATIENT)) as process:
        time.sleep(delay_ms / 1000)  # what is varied, not a wait
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    assert done.status == 130
    assert "Traceback" not in done.err
    assert done.err.count("interrupted") + done.out.count("ended early") == 1
    bench.until_alone()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("asks_kvm", [False, True])
def test_while_the_image_is_built(bench: Bench, number: signal.Signals, asks_kvm: bool) -> None:
    fresh_cache(bench)
    images = bench.folder / "cache" / "svsm-harness" / "images"
    with bench.start(*bench.boot("steps.yaml", *(() if asks_kvm else ("--platform", "tcg")))) as process:
        bench.until((images / "build.lock").exists, process)
        process.send_signal(number)
        done = bench.finish(process)
    if asks_kvm and not bench.results.exists():
        # The probe guest of KVM needs the image before there is a run that could be summed up.
        assert (done.status, done.out, done.err) == (130, "", "svsm-harness: interrupted\n")
        bench.until_alone()
    else:
        check(done, bench, finished=0, total=1)
    assert [path.name for path in images.iterdir() if path.name.startswith(".build")] == []


def test_before_qemu_greets(bench: Bench) -> None:
    silent = bench.folder / "silent-qemu"
    # Lists what it has like a real one, then never says a word: the moment before the greeting lasts for ever.
    silent.write_text(
        f'#!/bin/sh\ncase "$*" in *-kernel*) exec sleep 1000 ;; esac\nexec {shutil.which("qemu-system-x86_64")} "$@"\n'
    )
    silent.chmod(0o755)
    bench.environment = {"SVSM_HARNESS_QEMU": str(silent)}
    with bench.start(*bench.boot("payload.yaml", *HANG, *PATIENT, "--platform", "tcg")) as process:
        bench.until(lambda: "sleep 1000" in bench.descendants().values(), process)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    check(done, bench, finished=0, total=1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_while_the_guest_boots(bench: Bench, number: signal.Signals) -> None:
    with bench.start(*bench.boot("payload.yaml", *HANG, *PATIENT)) as process:
        bench.until(has(lambda: bench.run / "boots/0001/console.log", b"ready"), process)
        process.send_signal(number)
        done = bench.finish(process)
    check(done, bench, finished=0, total=1)
    shown = bench.command("show", "latest/1")
    assert shown.status == 0 and "this boot never came to its end" in shown.out and "console.log" in shown.out


def test_twice_in_a_row(bench: Bench) -> None:
    with bench.start(*bench.boot("payload.yaml", *HANG, *PATIENT)) as process:
        bench.until(has(lambda: bench.run / "boots/0001/console.log", b"ready"), process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    assert done.status == 130 and "Traceback" not in done.err
    bench.until_alone()


def test_during_a_step(bench: Bench) -> None:
    with bench.start(*bench.boot("steps.yaml")) as process:
        bench.until(has(lambda: bench.run / "boots/0001/console.log", b"step is under way"), process)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    check(done, bench, finished=0, total=1)


def test_while_evidence_is_collected(bench: Bench) -> None:
    with bench.start(*bench.boot("payload.yaml", *HANG)) as process:
        bench.until(has(lambda: bench.run / "boots/0001/console.log", b"ready"), process)
        pid = bench.qemu()
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)  # it does not answer, so collecting lasts until the outer time
        bench.until(has(lambda: bench.run / "boots/0001/qmp.jsonl", b"query-status"), process)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    check(done, bench, finished=0, total=1)


def test_what_is_finished_is_kept(bench: Bench) -> None:
    both = bench.boot("payload.yaml", *PATIENT)
    text = (BROKEN / "payload.yaml").read_text().replace("[EXIT, HANG, FLOOD]", "[EXIT, HANG]")
    mine = bench.folder / "both.yaml"
    mine.write_text(text)
    with bench.start(both[0], mine, *both[2:], "--format", "json") as process:
        bench.until(lambda: read_boots(bench.run), process)
        process.send_signal(signal.SIGINT)
        done = bench.finish(process)
    assert done.status == done.json["exit_status"] == 130
    assert [line["identity"]["variant"] for line in done.json["boots"]] == ["payload[how=EXIT]"]
    assert read_boots(bench.run) == done.json["boots"]
    bench.until_alone()
    assert "1 boots judged again, 0 different" in bench.command("replay").out


@pytest.mark.parametrize("moment", ["loading", "asking", "booting", "guest"])
def test_a_harness_that_is_killed_leaves_no_qemu_and_no_temporary_file(bench: Bench, moment: str) -> None:
    if moment == "asking":
        bench.environment = {"XDG_CACHE_HOME": str(bench.folder / "cache")}  # so that QEMU is asked anew
    with bench.start(*bench.boot("payload.yaml", *HANG, *PATIENT)) as process:
        if moment == "loading":
            time.sleep(0.2)
        elif moment == "asking":
            bench.until(lambda: [words for words in bench.descendants().values() if "-machine none" in words], process)
        elif moment == "booting":
            bench.until(lambda: (bench.run / "boots/0001").exists(), process)
        else:
            bench.until(has(lambda: bench.run / "boots/0001/console.log", b"ready"), process)
        process.kill()
        done = bench.finish(process)
    assert done.status == -signal.SIGKILL
    bench.until_alone()
    if moment == "guest":
        assert "still runs or was stopped: boots/0001" in bench.command("show").out
        assert "never came to its end" in bench.command("show", "latest/1").out
        journal = (bench.run / "boots/0001/qmp.jsonl").read_text().splitlines()
        assert {"execute": "cont", "arguments": {}} in [json.loads(line).get("sent") for line in journal]
