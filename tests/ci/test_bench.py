"""The benches: what counts as met, that both sides boot the same machine, and that nothing in them has rotted."""

import json
import os
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(_ROOT / "ci"))

from benchmarks import boot, campaign, recorder, vmpl  # noqa: E402
from benchmarks.bare_loop import bare_argv, bare_runs, prepare_bare  # noqa: E402
from benchmarks.figures import Figure, Target, as_json, as_table  # noqa: E402
from benchmarks.harness_side import harness_run, run_passing, write_scenario  # noqa: E402
from benchmarks.process import BenchError, run  # noqa: E402
from benchmarks.virtme import Virtme, vng_argv  # noqa: E402

from harness.boot.load import Load  # noqa: E402
from harness.boot.run import plan_command  # noqa: E402
from harness.guest.kernel import GuestKernel  # noqa: E402
from harness.qemu.command import Stream, Wiring  # noqa: E402

_QEMU = shutil.which("qemu-system-x86_64")
_NEEDS_QEMU = pytest.mark.skipif(not _QEMU, reason="QEMU is not installed")

_RATIO = Figure("f", "a", "b", "s", Target(1.05))


def _bench(*words: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(_ROOT / "ci")}
    argv = [sys.executable, "-m", "benchmarks", *words]
    return subprocess.run(argv, cwd=_ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        (replace(_RATIO, a=[1.0], b=[1.0]), True),
        (replace(_RATIO, a=[1.05], b=[1.0]), True),
        (replace(_RATIO, a=[1.06], b=[1.0]), False),
        # The median of the pairs counts: one pair on a busy machine decides nothing.
        (replace(_RATIO, a=[1.0, 9.0, 1.0], b=[1.0, 1.0, 1.0]), True),
        # The ratio of the medians would be 1 here; two of three pairs say otherwise.
        (replace(_RATIO, a=[2.0, 4.0, 3.0], b=[1.0, 3.0, 4.0]), False),
        (replace(_RATIO, target=Target(0.9, at_least=True), a=[0.9], b=[1.0]), True),
        (replace(_RATIO, target=Target(0.9, at_least=True), a=[0.89], b=[1.0]), False),
        (replace(_RATIO, target=Target(0.3, of="A"), a=[0.1, 0.3, 0.9], b=[]), True),
        (replace(_RATIO, target=Target(0.3, of="A"), a=[0.31], b=[1.0]), False),
        (_RATIO, False),
        (replace(_RATIO, missing="no vng"), False),
        (replace(_RATIO, a=[1.0], b=[1.0], missing="vng broke later"), False),
    ],
)
def test_what_is_met(figure: Figure, met: bool) -> None:
    assert figure.met is met
    row = as_table([figure]).splitlines()[1]
    assert row.rstrip().endswith("yes") is met
    document = json.loads(as_json([figure], {}))
    assert document["met"] is met and document["figures"][0]["met"] is met


def test_a_missing_tool_is_named_in_its_row() -> None:
    table = as_table([replace(_RATIO, missing="virtme-ng needs the packages kmod")])
    assert "not measured: virtme-ng needs the packages kmod" in table


def test_a_note_decides_nothing() -> None:
    figure = replace(_RATIO, a=[2.0], b=[1.0], note="CPU time A/B 0.5")
    assert not figure.met
    assert "  CPU time A/B 0.5" in as_table([figure]).splitlines()


def test_pairs_must_be_whole() -> None:
    with pytest.raises(ValueError, match="shorter"):
        _ = replace(_RATIO, a=[1.0, 2.0], b=[1.0]).ratios


def test_without_a_name_the_benches_are_listed() -> None:
    done = _bench()
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == [
        "boot",
        "campaign",
        "decoder",
        "recorder",
        "trace",
        "vmpl",
    ]


@pytest.mark.parametrize("words", [["nonsense"], ["boot", "--runs", "0"], ["boot", "--only", "nonsense"]])
def test_bad_options_are_refused(words: list[str]) -> None:
    done = _bench(*words)
    assert done.returncode == 2 and done.stderr


def test_every_bench_explains_itself() -> None:
    for name in ("boot", "campaign", "decoder", "recorder", "vmpl"):
        done = _bench(name, "--help")
        assert done.returncode == 0 and f"ci/bench {name}" in done.stdout


def test_help_is_measured_and_printed_as_one_document() -> None:
    done = _bench("boot", "--only", "help", "--runs", "1", "--json")
    document = json.loads(done.stdout)
    assert [figure["figure"] for figure in document["figures"]] == ["help"]
    assert document["figures"][0]["a_median"] > 0
    assert done.returncode == (0 if document["met"] else 1)
    assert "help: 4 times" in done.stderr


def test_the_decoder_bench_runs() -> None:
    done = _bench("decoder", "--lines", "2000", "--at-least", "1")
    assert done.returncode == 0, done.stderr
    assert "switches and IRQs" in done.stdout


def test_a_figure_that_cannot_be_measured_is_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> object:
        raise BenchError("no such tool")

    monkeypatch.setattr(boot, "prepare_virtme", refuse)
    figures = boot.measure(["exit"], 1, lambda line: None)
    assert [figure.missing for figure in figures] == ["no such tool"]
    assert not figures[0].met


def test_the_vmpl_bench_says_when_there_is_no_scenario(tmp_path: Path) -> None:
    (figure,) = vmpl.measure(1, lambda line: None, tmp_path)
    assert figure.missing == "there is no scenarios/vmpl/svsm_calls.yaml" and not figure.met


def test_virtme_ng_gets_the_machine_of_the_harness() -> None:
    kernel = GuestKernel(Path("/k/vmlinuz"), Path("/k/modules"), "6.1", "", "")
    words = vng_argv(Virtme(Path("/v/bin"), kernel, kernel, udev=True), "true", 512, "max,-cx16")
    assert words[:5] == ("/v/bin/vng", "--run", "/k/vmlinuz", "--exec", "true")
    assert {"--disable-kvm", "--qemu-opts=-cpu max,-cx16", "512M"} <= set(words)
    under_kvm = vng_argv(Virtme(Path("/v/bin"), kernel, kernel, udev=True), "true", 512, None)
    assert not {"--disable-kvm", "--verbose"} & set(under_kvm)


def test_a_program_leaves_nothing_behind_and_says_why_it_failed(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"sh ended with status 3: because"):
        run(["sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $! >pid; echo because >&2; exit 3"], tmp_path)
    with suppress(ProcessLookupError):
        grandchild = os.pidfd_open(int((tmp_path / "pid").read_text()))
        # Readable once it is dead; a killed process dies a little later than the call returns.
        ended, _, _ = select.select([grandchild], [], [], 10)
        os.close(grandchild)
        assert ended
    with pytest.raises(BenchError, match="cannot be started"):
        run(["/nowhere/vng"], tmp_path)


@pytest.mark.parametrize(
    ("status", "out", "why"),
    [
        (
            1,
            {"boots": [{"status": "FAIL", "reason": "no output", "identity": {"variant": "bench[lane=2]"}}]},
            "FAIL: no",
        ),
        (4, None, "svsm-harness run failed: no QEMU"),
        (2, None, "ended with status 2: no QEMU"),
    ],
)
def test_a_boot_that_did_not_pass_is_no_figure(tmp_path: Path, status: int, out: object, why: str) -> None:
    document = "" if out is None else json.dumps(out)
    script = f"import sys; print('no QEMU', file=sys.stderr); print({document!r}); sys.exit({status})"
    with pytest.raises(BenchError, match=why):
        run_passing([sys.executable, "-c", script], tmp_path)


@_NEEDS_QEMU
@pytest.mark.qemu
def test_the_bare_loop_boots_the_machine_of_the_harness(tmp_path: Path) -> None:
    prepared = prepare_bare(write_scenario(tmp_path))
    load = Load(Path("/k/vmlinuz"), "console=ttyS0", Path("/k/base.cpio"), b"", None, True, {})
    bare = bare_argv(prepared, load, Path("/tmp/with-keys.cpio"), 2222)
    wiring = Wiring({Stream.CONSOLE: "socket,fd=5", Stream.FIRMWARE: "socket,fd=6"}, "socket,fd=7")
    harness = plan_command(prepared.plan, prepared.site, load, wiring, 9).argv
    # What the one has and the other has not, is how they are reached and nothing that the guest sees.
    assert set(harness) - set(bare) == {
        "-S",
        "-mon",
        "chardev=qmp,mode=control",
        "socket,id=console,fd=5",
        "socket,id=firmware,fd=6",
        "socket,id=qmp,fd=7",
        "/proc/self/fd/9",
        "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:0-:22",
    }
    assert set(bare) - set(harness) == {
        "file,id=console,path=console.log",
        "file,id=firmware,path=firmware.log",
        "/tmp/with-keys.cpio",
        "user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:2222-:22",
    }


@_NEEDS_QEMU
@pytest.mark.qemu
@pytest.mark.slow
def test_both_sides_boot_and_are_timed(tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path, lanes=2)
    taken = harness_run(scenario, 2, [sys.executable, "-c", "import harness.cli; harness.cli.main()"])
    assert len(taken.login_s) == len(taken.answer_s) == 2
    for login_s, answer_s in zip(taken.login_s, taken.answer_s, strict=True):
        # The marks are stored with fewer digits than the span is computed from.
        assert 0 < login_s < answer_s <= taken.span_s + 1e-3 < taken.took_s
    # Two emulated boots of more than a second each: QEMU's time is in it, not only that of the command itself.
    assert taken.cpu_s > 2
    took_s, (times,) = bare_runs(prepare_bare(scenario))
    assert 0 < times.login_s < times.answer_s < took_s


def test_a_row_without_a_target_is_met_once_it_is_measured() -> None:
    row = Figure("info", "a", "b", "s", None, a=[2.0], b=[1.0])
    assert row.met and "none" in as_table([row])
    assert not replace(row, missing="no vng").met


@_NEEDS_QEMU
@pytest.mark.qemu
def test_the_recorder_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "_LOOKS", 20)
    look, *boots = recorder.measure(1, lambda line: None)
    assert look.missing is None and look.met
    assert all(len(figure.a) == len(figure.b) == 1 for figure in boots)
    assert "SVSM_HARNESS_RECORDER" not in os.environ


@_NEEDS_QEMU
@pytest.mark.qemu
@pytest.mark.slow
def test_a_campaign_is_timed_beside_as_many_bare_boots() -> None:
    boots, whole, cpu = campaign.measure(1, 1, lambda line: None)
    assert boots.missing is None, boots.missing
    assert 1 < boots.a[0] < whole.a[0] and boots.b == whole.b
    # Two seconds of emulation on each side at least, and no more than a start of Python between them.
    assert 1 < cpu.b[0] < cpu.a[0] + 1


def test_a_campaign_that_failed_is_no_figure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "harness").write_text('#!/bin/sh\necho \'{"good": 2, "sentence": "1 of 3 boots failed"}\'\nexit 1\n')
    (tmp_path / "harness").chmod(0o755)
    monkeypatch.setattr(campaign, "HARNESS", str(tmp_path / "harness"))
    with pytest.raises(BenchError, match="only 2 of 3 boots passed: 1 of 3 boots failed"):
        campaign.campaign_run(tmp_path / "x.yaml", 3)
