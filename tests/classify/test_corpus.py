from __future__ import annotations

import re
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from harness.classify.console import console_rules, find_all, stderr_rules
from harness.classify.outcome import decide_outcome
from harness.classify.rules import RuleSet, Weight

from .corpus_logs import CORPUS, LOGS, read_log, write_log


@pytest.mark.parametrize("path", LOGS, ids=lambda path: str(path.relative_to(CORPUS)))
def test_a_log_is_taken_for_what_its_headers_say(path: Path, request: pytest.FixtureRequest) -> None:
    log = read_log(path)
    outcome = decide_outcome(log.facts())
    found = {"KIND": str(outcome.kind), "SIGNATURE": outcome.signature}
    if request.config.getoption("--update-golden"):
        write_log(log, found | {key: value for key, value in log.headers.items() if key not in found})
        log = read_log(path)
    assert found == {key: log.headers[key] for key in found}
    assert outcome.phase == log.headers.get("PHASE", outcome.phase)
    assert outcome.detail.isprintable()
    assert len(outcome.signature) <= 200


@pytest.mark.parametrize(
    ("stem", "paths"),
    [(stem, list(paths)) for stem, paths in groupby(LOGS, lambda path: path.parent / path.name.split(".")[0])],
    ids=lambda value: str(value.relative_to(CORPUS)) if isinstance(value, Path) else "",
)
def test_boots_of_one_fault_have_one_signature(stem: Path, paths: list[Path]) -> None:
    assert len({_without_phase(read_log(path).headers["SIGNATURE"]) for path in paths}) == 1, stem


def _without_phase(signature: str) -> str:
    # How far the boot came may differ: some of the logs have an SVSM in front of the kernel, some have not.
    return re.sub(r"after \S+?(?=;|$)", "after", signature)


def test_the_corpus_is_as_large_as_promised() -> None:
    assert len(LOGS) >= 200
    assert sum(path.parent.name in ("svsm", "guest_sev", "qemu") for path in LOGS) >= 60


# A row that no log shows is not known to work.
@pytest.mark.parametrize("rules", [console_rules(), stderr_rules()], ids=["console", "stderr"])
def test_every_rule_has_a_log(rules: RuleSet) -> None:
    seen: set[int] = set()
    for path in LOGS:
        log = read_log(path).facts()
        text = log.stderr.encode() if rules is stderr_rules() else log.console
        seen |= {finding.row for finding in find_all(text, rules)}
    counting = [row for row, rule in enumerate(rules.rules) if rule.weight is not Weight.BENIGN]
    assert [rules.rules[row].header for row in counting if row not in seen] == []


def test_findings_come_in_order_of_position() -> None:
    log = read_log(CORPUS / "damaged" / "two_oopses.a.log")
    first, second, *_ = find_all(log.raw, console_rules())
    assert first.offset < second.offset
    assert log.raw[first.offset :].startswith(b"BUG: unable")


SVSM_LINE = b"[request-loop on CPU 0] Validating 0x100000-0x200000\r\n\x1b[0m\0"
GUEST_LINE = b"[    9.876543] eth0: link becomes ready\r\n"


@pytest.mark.parametrize(
    ("layer", "other"),
    [
        ("guest_kernel", SVSM_LINE),
        ("guest_sev", SVSM_LINE),
        ("guest_user", SVSM_LINE),
        ("firmware", SVSM_LINE),
        ("firmware", GUEST_LINE),
        ("svsm", GUEST_LINE),
        ("payload", GUEST_LINE),
    ],
)
def test_another_layer_may_talk_between_any_two_lines(layer: str, other: bytes) -> None:
    for path in LOGS:
        if path.parent.name == layer:
            log = read_log(path)
            mixed = replace(log, raw=log.raw.replace(b"\n", b"\n" + other))
            assert decide_outcome(mixed.facts()).signature == log.headers["SIGNATURE"], path


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9, 0.97])
def test_a_log_cut_anywhere_has_an_outcome_and_a_reason(part: float) -> None:
    for path in LOGS:
        log = read_log(path)
        outcome = decide_outcome(replace(log, raw=log.raw[: int(part * len(log.raw))]).facts())
        assert outcome.signature.isprintable(), path
        assert outcome.detail, path
