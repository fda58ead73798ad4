from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.doctor.finding import FROM_SNP, MODEL, Answer, AskedOf, Check, Group, State
from harness.doctor.judge import CHECKS, judge
from harness.doctor.snapshot import Access, Cpuid, HostSnapshot, QemuFacts, Unreadable
from harness.scenario.model import Platform

from .recorded import DENIED, NAMES, finding, host

#: What every recorded host reaches, what is in the way of the next grade, and the states that matter on it.
EXPECTED: dict[str, tuple[Platform | None, str | None, dict[str, State]]] = {
    "milan": (Platform.SNP, "igvm-cfg", {"kvm_amd.sev_snp": State.OK, "RMP range": State.OK, "flavour": State.UNKNOWN}),
    "genoa": (Platform.SVSM, None, {"flavour": State.OK, "igvm-cfg": State.OK, "IGVM file": State.OK}),
    "turin": (Platform.SNP, "flavour", {"igvm-cfg": State.OK, "kvm_entry format": State.OK, "C-bit": State.OK}),
    "no-snp": (Platform.KVM, "generation", {"SEV-SNP": State.LACKS, "RMP range": State.SKIPPED, "SEV-ES": State.OK}),
    "snp-off-in-bios": (Platform.KVM, "RMP range", {"SEV-SNP": State.OK, "SME on": State.OK, "SNP on": State.LACKS}),
    "passthrough-iommu": (Platform.KVM, "no passthrough", {"RMP range": State.OK, "kvm_amd.sev_snp": State.LACKS}),
    "old-kernel": (Platform.KVM, "kvm_amd.sev_snp", {"release": State.NOTE, "sev-snp-guest": State.LACKS}),
    "planes-kernel": (Platform.SNP, "device-plane", {"flavour": State.OK, "plane in interrupts": State.OK}),
    "laptop-intel": (Platform.KVM, "vendor", {"SEV-SNP": State.SKIPPED, "tracefs readable": State.UNKNOWN}),
    "container": (
        Platform.TCG,
        "/dev/kvm",
        {"container": State.NOTE, "SEV-SNP": State.OK, "kernel log": State.UNKNOWN},
    ),
}


def test_every_recorded_host_is_expected() -> None:
    assert sorted(EXPECTED) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_what_a_recorded_host_reaches(name: str) -> None:
    best, in_the_way, states = EXPECTED[name]
    report = judge(host(name))
    assert report.best is best
    assert (report.in_the_way and report.in_the_way.name) == in_the_way
    assert {check: finding(report, check).state for check in states} == states
    if report.in_the_way is not None:
        assert report.in_the_way.fix, "what is in the way must say what to do"
        assert report.next in report.in_the_way.blocks


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_of_the_host_is_in_the_report(name: str) -> None:
    # Every recorded command line has a password, some logs a serial number, and none may leave the host.
    text = repr((host(name), judge(host(name))))
    assert "hunter2" not in text and "S3CR3T" not in text and "ffffffff81000000" not in text


def test_there_are_many_checks_and_each_is_whole() -> None:
    assert len(CHECKS) >= 45
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    assert {check.group for check in CHECKS} == set(Group)
    assert all(check.means for check in CHECKS)
    groups = [check.group for check in CHECKS]
    assert groups == sorted(groups, key=list(Group).index), "causes come before what they cause"


def test_what_lacks_on_a_host_says_what_to_do() -> None:
    bare = [
        f"{name}: {found.name}"
        for name in NAMES
        for found in judge(host(name)).findings
        if found.state is State.LACKS and not found.fix
    ]
    assert bare == []


def test_an_snp_host_is_one_for_its_ordinary_users_too() -> None:
    # The kernel's own word and /dev/sev decide; what only root can read is unknown, and never ok.
    hidden = replace(host("genoa"), cpuid=DENIED, msrs=DENIED, log=DENIED, symbols=DENIED, fields=DENIED, root=False)
    hidden = replace(hidden, folders={**hidden.folders, "/sys/kernel/tracing/events/kvm": DENIED})
    report = judge(hidden)
    assert report.best is Platform.SNP
    assert report.in_the_way is not None and report.in_the_way.name == "flavour"
    unread = ("RMP range", "SNP on", "SNP firmware", "VMPL", "SNP ASIDs", "SNP in the log")
    assert {finding(report, name).state for name in unread} == {State.UNKNOWN}


def test_nothing_about_snp_is_in_the_way_of_an_emulated_cpu() -> None:
    snp = {Platform.SNP, Platform.SVSM, Platform.NOCC}
    blocked = {found.name: set(found.blocks) for found in judge(host("container")).findings if found.blocks}
    assert all(grades <= snp | {Platform.KVM} for grades in blocked.values())
    assert {"/dev/kvm", "KVM runs Linux"} == {name for name, grades in blocked.items() if Platform.KVM in grades}


@pytest.mark.parametrize(
    ("changes", "best", "in_the_way"),
    [
        ({"qemu": Unreadable("there is none")}, None, "QEMU"),
        ({"programs": {"make": "x", "gcc": "x"}}, None, "setpriv"),
        ({"results_writable": False}, None, "results"),
        ({"guest_tools": Unreadable("no busybox")}, Platform.MODEL, "programs"),
        ({"guest_image": Unreadable("no space")}, Platform.MODEL, "image"),
        ({"programs": {"setpriv": "x"}}, Platform.SNP, "igvm-cfg"),
        ({"kvm": Unreadable("not asked")}, Platform.TCG, "KVM runs Linux"),
        ({"access": {"/dev/kvm": Access(True, True)}}, Platform.KVM, "/dev/sev"),
    ],
)
def test_what_each_part_is_needed_for(changes: dict[str, Any], best: Platform | None, in_the_way: str) -> None:
    report = judge(replace(host("milan"), **changes))
    assert (report.best, report.in_the_way and report.in_the_way.name) == (best, in_the_way)


def _one(state: State, decides: bool = False, asked_of: AskedOf = AskedOf.ANY) -> Check:
    return Check(Group.CPU, f"{state}", "it matters", lambda _: Answer(state, "x"), FROM_SNP, decides, "do", asked_of)


@pytest.mark.parametrize(
    ("check", "best", "fix"),
    [
        (_one(State.OK, decides=True), Platform.SVSM, ""),
        (_one(State.NOTE, decides=True), Platform.SVSM, ""),
        (_one(State.LACKS), Platform.KVM, "do"),
        (_one(State.UNKNOWN), Platform.SVSM, "do"),
        (_one(State.UNKNOWN, decides=True), Platform.KVM, "do"),
        (_one(State.OK, decides=True, asked_of=AskedOf.SNP), Platform.KVM, ""),
        (_one(State.LACKS, asked_of=AskedOf.AMD), Platform.SVSM, ""),
    ],
)
def test_what_a_state_does_to_the_grade(check: Check, best: Platform, fix: str) -> None:
    report = judge(host("laptop-intel"), [check])
    assert (report.best, report.findings[0].fix) == (best, fix)


def test_what_was_seen_comes_before_what_could_not_be_seen() -> None:
    report = judge(host(), [_one(State.UNKNOWN, decides=True), _one(State.LACKS)])
    assert report.in_the_way is not None and report.in_the_way.state is State.LACKS
    lost = Check(Group.CPU, "payload", "it matters", lambda _: Answer(State.LACKS, "x"), MODEL)
    assert judge(host(), [lost]).best is Platform.SVSM


_text = st.one_of(
    st.text(max_size=60),
    st.sampled_from(["Y", "N", "-1", "99999999999999999999", "sev_es\nsev_es max", "[", "]", "a : b", "=", "tracefs"]),
    st.builds(Unreadable, st.text(max_size=9), st.booleans()),
)
_number = st.integers(min_value=-1, max_value=1 << 64)
_unreadable = st.builds(Unreadable, st.just("damaged"), st.booleans())
_damage: dict[str, st.SearchStrategy[Any]] = {
    "files": st.fixed_dictionaries({path: _text for path in host("turin").files}),
    "folders": st.fixed_dictionaries(
        {path: st.one_of(_unreadable, st.frozensets(st.text(max_size=9), max_size=3)) for path in host().folders}
    ),
    "access": st.dictionaries(st.sampled_from(sorted(host().access)), st.builds(Access, st.booleans(), st.booleans())),
    "cpuid": st.one_of(
        _unreadable, st.dictionaries(st.just(0x8000001F), st.builds(Cpuid, _number, _number, _number, _number))
    ),
    "msrs": st.one_of(_unreadable, st.dictionaries(st.sampled_from([0xC0010010, 0xC0010132, 0xC0010133]), _number)),
    "parameters": st.one_of(_unreadable, st.lists(st.text(max_size=9)).map(tuple)),
    "log": st.one_of(_unreadable, st.lists(st.text(max_size=20)).map(tuple)),
    "symbols": st.one_of(_unreadable, st.frozensets(st.text(max_size=9))),
    "fields": st.one_of(_unreadable, st.dictionaries(st.sampled_from(["kvm_entry", "x"]), st.frozensets(st.text()))),
    "programs": st.dictionaries(st.sampled_from(["make", "gcc"]), st.one_of(st.none(), st.text())),
    "memlock_bytes": st.one_of(st.none(), _unreadable, _number),
    "open_files": st.one_of(st.none(), _unreadable, _number),
    "results_free_bytes": st.one_of(_unreadable, _number),
    "qemu": st.one_of(
        _unreadable,
        st.builds(
            QemuFacts,
            st.text(),
            st.lists(st.integers(), max_size=3).map(tuple),
            st.text(),
            st.frozensets(st.text()),
            st.frozensets(st.text()),
            st.one_of(_unreadable, st.frozensets(st.text())),
        ),
    ),
    "kvm": st.one_of(_unreadable, st.tuples(st.booleans(), st.text())),
}


@settings(max_examples=40, deadline=None)
@given(st.fixed_dictionaries({}, optional=_damage))
def test_no_damage_raises(changes: dict[str, Any]) -> None:
    assert set(_damage) <= {field.name for field in fields(HostSnapshot)}
    report = judge(replace(host("turin"), **changes))
    assert len(report.findings) == len(CHECKS)
    assert (report.in_the_way is None) == (report.best is Platform.SVSM)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([name for name in _damage if name not in ("access", "programs")]))
def test_what_is_unreadable_is_never_ok(name: str) -> None:
    before = judge(host("turin")).best
    after = judge(replace(host("turin"), **{name: {} if name in ("files", "folders") else DENIED}))
    assert before is not None and (after.best is None or after.best.rank <= before.rank)
    blank = judge(HostSnapshot())
    assert blank.best is None
    assert {found.name for found in blank.findings if found.state is State.OK} <= {"container"}


def test_nocc_asks_for_an_igvm_file_only_and_is_no_step_of_the_ladder() -> None:
    report = judge(host("container"))
    assert {found.name for found in report.findings if Platform.NOCC in found.blocks} == {
        "igvm-cfg",
        "machine igvm-cfg",
    }
    assert (report.best, report.next) == (Platform.TCG, Platform.KVM)
    below = judge(replace(host("container"), guest_tools=Unreadable("no busybox")))
    assert (below.best, below.next) == (Platform.MODEL, Platform.TCG)
