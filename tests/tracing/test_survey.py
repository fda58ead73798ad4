"""What a host's kernel can trace, from what the survey script printed there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from harness.clock import Deadline
from harness.errors import EvidenceLost
from harness.evidence.flavour import Flavour
from harness.host.local import LocalHost
from harness.tracing.survey import HostSurvey, parse_survey, survey_host
from tracing.fake_tracefs import make_tracefs, real_tracefs

FORMATS = (Path(__file__).parents[1] / "evidence" / "golden" / "linux-6.18-kvm.formats").read_text()


def printed(**changes: str) -> str:
    sections = {
        "release": "6.18.0\n",
        "boot_id": "1be2\n",
        "tainted": "0\n",
        "user": "0\n",
        "tracefs": "/sys/kernel/tracing\n",
        "access": "yes\n",
        "clocks": "[local] global mono boot\n",
        "cpus": "2\n",
        "hist": "yes\n",
        "kvm": "kvm_exit\n",
        "formats-kvm": FORMATS,
        "symbols": "",
        "end": "",
    }
    return "".join(f"#t {name}\n{body}" for name, body in (sections | changes).items())


def survey(**changes: str) -> HostSurvey:
    return parse_survey("lab", printed(**changes), "t")


def test_a_whole_host() -> None:
    found = survey()
    assert (found.release, found.boot_id, found.cpus, found.hist) == ("6.18.0", "1be2", 2, True)
    assert found.obstacle() is None
    assert found.formats["kvm:kvm_exit"].name == "kvm_exit"
    assert found.record_bytes["kvm:kvm_exit"] == 72
    assert found.detection.flavour is None and found.unfamiliar == ()


@pytest.mark.parametrize(
    ("changes", "flavour"),
    [
        ({"symbols": " kvm_vcpu_select_plane\t\n"}, Flavour.PLANES_V1),
        ({"formats-kvm": FORMATS.replace("u32 intr_info;", "int vcpu_vmpl;")}, Flavour.ROY),
        ({"symbols": "grep: /proc/kallsyms: Permission denied\n"}, None),
    ],
)
def test_the_flavour(changes: dict[str, str], flavour: Flavour | None) -> None:
    assert survey(**changes).detection.flavour is flavour


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tracefs": "\n"}, "mount -t tracefs nodev /sys/kernel/tracing"),
        ({"access": "", "user": "1000\n"}, "user 1000 may not use /sys/kernel/tracing"),
        ({"access": ""}, "root may not use"),
        ({"clocks": "[local] global\n"}, "no trace clock mono"),
    ],
)
def test_what_is_in_the_way_is_said_with_what_to_type(changes: dict[str, str], words: str) -> None:
    obstacle = survey(**changes).obstacle()
    assert obstacle is not None and words in obstacle and "lab" in obstacle


def test_a_cut_answer_is_no_survey() -> None:
    text = printed()
    with pytest.raises(EvidenceLost, match="lab"):
        parse_survey("lab", text[: text.index("#t end")], "t")
    with pytest.raises(EvidenceLost):
        parse_survey("lab", "", "t")


def test_a_folder_is_surveyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tracefs = make_tracefs(tmp_path, monkeypatch, ("kvm:kvm_exit", "kvm:kvm_eoi"))
    found = asyncio.run(survey_host(LocalHost(), Deadline.after(20)))
    assert found.tracefs == str(tracefs) and found.access and found.mono and not found.hist
    assert sorted(found.formats) == ["kvm:kvm_eoi", "kvm:kvm_exit"]
    assert found.cpus == 1 and found.release


def test_no_tracefs_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SVSM_TRACEFS", "/nowhere")
    found = asyncio.run(survey_host(LocalHost(), Deadline.after(20)))
    assert found.tracefs is None and found.formats == {}
    assert "mount -t tracefs" in (found.obstacle() or "")


def test_this_machine(request: pytest.FixtureRequest) -> None:
    real_tracefs()
    found = asyncio.run(survey_host(LocalHost(), Deadline.after(60), ("task",)))
    assert found.obstacle() is None
    assert "task:task_newtask" in found.formats
