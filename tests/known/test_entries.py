from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from harness.errors import InputError, ScenarioError
from harness.known.entries import read_known_issues

from .sample_issues import issue

ENTRY = """\
- id: cx16
  pattern: "guest-panic: *double fault*"
  scope: {scenarios: [stability-linux], platforms: [tcg], qemu: ["7.2.*"]}
  max_rate: 50%
  expires: "2027-01-31"
  link: https://example.org/1
  note: QEMU emulates it wrongly.
"""


def _read(tmp_path: Path, text: str) -> object:
    path = tmp_path / "known_issues.yaml"
    path.write_text(text)
    return read_known_issues(path)


def test_an_entry_is_read_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "known_issues.yaml"
    path.write_text(ENTRY + ENTRY.replace("id: cx16", "id: other"))
    issues = read_known_issues(path)
    first, second = issues.entries
    assert (first.id, first.max_rate, first.last_day) == ("cx16", 0.5, datetime.date(2027, 1, 31))
    assert first.scope.qemu == ("7.2.*",)
    assert (second.id, issues.lines) == ("other", (1, 8))


def test_it_expires_after_its_last_day(tmp_path: Path) -> None:
    path = tmp_path / "known_issues.yaml"
    path.write_text(ENTRY)
    issues = read_known_issues(path)
    assert issues.expired(datetime.date(2027, 1, 31)) == []
    assert len(issues.valid(datetime.date(2027, 1, 31))) == 1
    (said,) = issues.expired(datetime.date(2027, 2, 1))
    assert said.startswith(f"{path}:1: the known issue cx16 expired on 2027-01-31")
    assert issues.valid(datetime.date(2027, 2, 1)) == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("note:", "notes:"), r"known_issues.yaml:7:3: unknown key 'notes'"),
        (("  max_rate: 50%\n", ""), "needs the key 'max_rate'"),
        (("50%", "0.5"), "yaml:4:13: .*percent|yaml:4:13: .*unit"),
        (("50%", "100%"), "max_rate must be above 0% and below 100%"),
        (('"2027-01-31"', '"31.1.2027"'), "yaml:5:12: .*is no date"),
        (('"2027-01-31"', '"2027-02-31"'), "yaml:5:12: .*day"),
        (('pattern: "guest-panic: *double fault*"', 'pattern: "*"'), "nearly every failure"),
        (('pattern: "guest-panic: *double fault*"', 'pattern: "[!a]*????"'), "nearly every failure"),
        (("pattern:", "signature: x\n  pattern:"), "either signature .* or pattern"),
        (("[tcg]", "[tgc]"), "must be one of"),
        (("- id: cx16", "- id: cx16 and more"), "id cannot be"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        _read(tmp_path, ENTRY.replace(*change))


def test_a_file_that_is_no_list_of_entries_says_so(tmp_path: Path) -> None:
    for text, said in ((ENTRY + ENTRY, "is taken by another entry"), ("id: x\n", "are a list"), ("- x\n", "mapping")):
        with pytest.raises(ScenarioError, match=said):
            _read(tmp_path, text)
    with pytest.raises(InputError, match="cannot be read"):
        read_known_issues(tmp_path / "nothing.yaml")
    path = tmp_path / "none.yaml"
    path.write_text("[]\n")
    assert read_known_issues(path).entries == ()


def test_a_signature_is_exact_and_a_pattern_is_not() -> None:
    exact, loose = issue(), issue(signature=None, pattern="guest-panic: x*")
    assert [entry.is_named("guest-panic: x") for entry in (exact, loose)] == [True, True]
    assert [entry.is_named("guest-panic: xy") for entry in (exact, loose)] == [False, True]
    assert not loose.is_named("a guest-panic: x")
