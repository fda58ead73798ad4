from __future__ import annotations

import pytest

from harness.classify.console import console_rules, stderr_rules
from harness.classify.kinds import OutcomeKind
from harness.classify.rules import RuleSet, Weight, benign, note


def rows(rules: RuleSet, text: bytes) -> list[int]:
    return [rules.rule_of_group[match.lastindex or 0] for match in rules.pattern.finditer(text)]


def test_the_earlier_rule_wins_at_one_place_and_the_leftmost_in_a_line() -> None:
    rules = RuleSet(((note(rb"Abc \d"), note(rb"Abc"), note(rb"Ab")), (note(rb"Xyz Abc"), note(rb"A"))))
    assert rows(rules, b"Abc 1, Abc x, Abd, Xyz Abc, Axe") == [0, 1, 2, 3, 4]
    assert rules.rank == (0, 0, 0, 1, 1)


def test_every_rule_of_a_set_is_found_by_its_own_group() -> None:
    words = [b"KVM: a", b"KVM: b", b"KVM", b"ERROR: ", b"E", b"[x", b"Z"]
    rules = RuleSet((tuple(note(word.replace(b"[", rb"\[")) for word in words),))
    for index, word in enumerate(words):
        assert rows(rules, b"-- " + word + b" --")[0] == index


@pytest.mark.parametrize("header", [rb"\d+ errors", rb"(a|b)", rb".*", rb"[Ab]c", rb"A?b", rb"A(b)", b""])
def test_a_header_begins_with_a_literal_and_has_no_group(header: bytes) -> None:
    with pytest.raises(ValueError, match="literal byte"):
        RuleSet(((benign(header),),))


def test_a_literal_that_may_be_absent_is_none() -> None:
    rules = RuleSet(((note(rb"CPU\d? is lost"), note(rb"CPUs{1,3}x")),))
    assert rows(rules, b"CPU is lost CPU3 is lost CPUssx") == [0, 0, 1]


# A lower-case letter at the start makes every search of a console slower, which its speed rests on.
def test_headers_of_the_console_begin_with_rare_bytes() -> None:
    slow = [rule.header for rule in console_rules().rules if rule.header[:1].islower()]
    assert slow == [rb"rcu_\w{1,20} kthread starved for "]


@pytest.mark.parametrize("rules", [console_rules(), stderr_rules()], ids=["console", "stderr"])
def test_tables_are_whole(rules: RuleSet) -> None:
    for rule in rules.rules:
        deciding = rule.weight in (Weight.FATAL, Weight.SERIOUS)
        assert isinstance(rule.kind, OutcomeKind) is deciding, rule.header
        assert (rule.form is None) == (not rule.title), rule.header
        if rule.form is not None:
            names = {*rule.form.groupindex, "program"}
            rule.title.format(**dict.fromkeys(names, "x"))
