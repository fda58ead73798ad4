"""Boots that a nightly recorded count as boots of an end, and those of another setting or place do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from harness.checks.base import Status, Verdict
from harness.errors import InputError
from harness.regress.journal import Recorded
from harness.regress.recorded import compared_parts, moved_keys, read_recorded, require_same
from harness.regress.refusals import one_variant
from harness.regress.spec import Spec
from harness.results.record import BootHost, BootIdentity, BootLine
from harness.results.store import Run, create_run
from harness.scenario.model import Platform
from harness.scenario.setting import Variant
from harness.scenario.stored import dump_setting
from harness.stability.plan import seeded
from harness.stats.bisect_posterior import Tally
from tests.results.sample_record import RECORD

TEXT = """name: a
about: b.
matrix: {vcpus: [1, 2]}
stability: {boots: 7, max_failure_rate: 5%}
platforms:
  model: {payload: {image: x, faults: ["trace-lost:0"]}}
  tcg: {guest: {kernel: k}}
"""
HOST = BootHost("local", "local", "6.1", "EPYC", None, None)
PARTS = {"qemu binary": "/q", "kernel": "6.1 sha256:1", "initramfs /init": "sha256:2", "kvm flavour": "undecided"}


@pytest.fixture
def spec(tmp_path: Path) -> Spec:
    (tmp_path / "a.yaml").write_text(TEXT)
    return Spec(str(tmp_path / "a.yaml"), {"vcpus": "2"}, (), None, (), 0.95, 0.01, None, True)


def variant_with(spec: Spec, values: Mapping[str, str]) -> Variant:
    (variant,) = one_variant(spec, values, {})
    return variant


def recorded_run(
    folder: Path, variant: Variant, statuses: str, platform: Platform = Platform.MODEL, **changes: object
) -> Run:
    """Record a boot for each letter of ``statuses``: P, F, I, and U for one that was not booted."""
    run = create_run(folder / "results", {})
    setting = variant.setting(platform)
    assert setting is not None
    identity = BootIdentity(variant.scenario, variant.full_id, variant.slug, "a.yaml", platform)
    for turn, letter in enumerate(statuses, start=1):
        status = {"P": Status.PASS, "F": Status.FAIL, "I": Status.INCONCLUSIVE, "U": Status.UNSUPPORTED}[letter]
        name = None
        if letter != "U":
            at = run.new_boot_folder()
            name = f"boots/{at.name}"
            stored = dump_setting(seeded(setting, turn))
            given: dict[str, object] = {"identity": identity, "setting": stored, "host": HOST, "provenance": PARTS}
            run.write_record(at, replace(RECORD, **{**given, **changes}))  # type: ignore[arg-type]
        verdicts = (Verdict("startup", Status.FAIL, "it hung"),) if letter == "F" else ()
        run.append(BootLine(identity, name, status, "why", verdicts, None, 1.0))
    return run


def test_boots_count_as_the_bisection_counts_them(spec: Spec, tmp_path: Path) -> None:
    variant = variant_with(spec, {})
    run = recorded_run(tmp_path, variant, "PPFIPU")
    more = recorded_run(tmp_path, variant, "F")
    names = (str(run.folder), str(more.folder))
    one = read_recorded("bad", tmp_path, names, variant, frozenset(), ("startup",))
    assert (one.end, one.runs, one.platform) == ("bad", names, Platform.MODEL)
    assert one.tally == Tally(bad=2, good=3, other=1)
    assert one.parts == {"QEMU": RECORD.qemu, "CPU": "EPYC", "qemu binary": "/q", "kernel": "6.1 sha256:1"}
    assert read_recorded("bad", tmp_path, names, variant, frozenset(), ("panic",)).tally == Tally(0, 3, 3)


def test_a_run_of_another_setting_is_none_of_this_end(spec: Spec, tmp_path: Path) -> None:
    had, wanted = variant_with(spec, {"machine.cpu": "max"}), variant_with(spec, {"machine.cpu": "max,-cx16"})
    name = str(recorded_run(tmp_path, had, "P").folder)
    with pytest.raises(InputError, match=r"boots/0001: it is no boot of the good end: machine.cpu was max, and there"):
        read_recorded("good", tmp_path, [name], wanted, frozenset(), ())
    assert moved_keys(had, wanted) == {"machine.cpu"}
    assert read_recorded("good", tmp_path, [name], wanted, moved_keys(had, wanted), ()).tally == Tally(good=1)


def test_the_firmware_that_a_host_puts_in_is_no_difference(spec: Spec, tmp_path: Path) -> None:
    named, unnamed = variant_with(spec, {"machine.firmware": "/host/ovmf.fd"}), variant_with(spec, {})
    name = str(recorded_run(tmp_path, named, "P").folder)
    assert read_recorded("good", tmp_path, [name], unnamed, frozenset(), ()).tally == Tally(good=1)
    name = str(recorded_run(tmp_path, unnamed, "P").folder)
    with pytest.raises(InputError, match=r"machine\.firmware was None"):
        read_recorded("good", tmp_path, [name], named, frozenset(), ())


def test_a_variant_of_another_name_is_named(spec: Spec, tmp_path: Path) -> None:
    variant = variant_with(spec, {})
    other = replace(variant, id="vcpus=2,setting=B")
    name = str(recorded_run(tmp_path, other, "PF").folder)
    with pytest.raises(InputError, match=r"has no boots of a\[vcpus=2\].*it has a\[vcpus=2,setting=B\]: name one as"):
        read_recorded("bad", tmp_path, [name], variant, frozenset(), ())
    found = read_recorded("bad", tmp_path, [f"{name}:a[vcpus=2,setting=B]"], variant, frozenset(), ())
    assert found.tally == Tally(1, 1)


def test_what_was_never_booted_is_nothing(spec: Spec, tmp_path: Path) -> None:
    name = str(recorded_run(tmp_path, variant_with(spec, {}), "U").folder)
    with pytest.raises(InputError, match="has no boots of"):
        read_recorded("bad", tmp_path, [name], variant_with(spec, {}), frozenset(), ())


def test_boots_of_different_parts_are_not_one_rate(spec: Spec, tmp_path: Path) -> None:
    variant = variant_with(spec, {})
    runs = [
        recorded_run(tmp_path, variant, "P"),
        recorded_run(tmp_path, variant, "P", provenance={**PARTS, "kernel": "6.1 sha256:9"}),
    ]
    with pytest.raises(InputError, match=r"kernel was 6.1 sha256:9, and 6.1 sha256:1 in .*; one failure rate"):
        read_recorded("good", tmp_path, [str(run.folder) for run in runs], variant, frozenset(), ())
    grades = [recorded_run(tmp_path, variant, "P", grade).folder for grade in (Platform.MODEL, Platform.TCG)]
    with pytest.raises(InputError, match="platform was tcg, and model in"):
        read_recorded("good", tmp_path, [str(folder) for folder in grades], variant, frozenset(), ())
    # A boot may find out more of its host than the one before.
    told = recorded_run(tmp_path, variant, "P", provenance={**PARTS, "kvm flavour": "mainline"}).folder
    names = [str(runs[0].folder), str(told)]
    assert read_recorded("good", tmp_path, names, variant, frozenset(), ()).tally == Tally(good=2)


def test_another_place_says_nothing_here() -> None:
    one = Recorded("good", ("r",), Tally(), Platform.TCG, {"CPU": "EPYC", "QEMU": "7.2"})
    require_same(one, {"CPU": "EPYC"})
    require_same(one, {"CPU": "EPYC", "QEMU": "7.2"})
    with pytest.raises(InputError, match=r"with QEMU 7\.2, and here it is 9\.0; leave --good-run out"):
        require_same(one, {"CPU": "EPYC", "QEMU": "9.0"})
    with pytest.raises(InputError, match="with kernel absent"):
        require_same(one, {"kernel": "sha256:1"})


def test_parts_that_boots_share() -> None:
    assert compared_parts(PARTS) == {"qemu binary": "/q", "kernel": "6.1 sha256:1"}
