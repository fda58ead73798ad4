from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from harness.cli.bisect import parse_rate_option
from harness.cli.bisect_report import mail_lines, print_replay, write_files
from harness.cli.exit_status import ExitStatus
from harness.errors import InputError
from harness.regress.conclusion import Conclusion
from harness.regress.journal import Booted, Checked, Concluded, Ended, HostOpened, Journal, Stage, Switched
from harness.results.store import Run, create_run
from harness.stats.bisect import AnswerKind, Question
from harness.stats.bisect_posterior import Tally

STATUS = {kind: ExitStatus.PASSED for kind in AnswerKind}
FOUND = Conclusion(AnswerKind.FOUND, ("it begins with b",), 0.97, "Fixes: b", "git bisect start\n")


def _run(folder: Path, culprit: int) -> Run:
    run = create_run(folder, {"command": ["svsm-harness", "bisect", "a b"], "host": {"cpu": "EPYC"}})
    journal = Journal(run.folder / "journal.jsonl")
    journal.append(Stage(0, "commits", ("a", "b", "c"), Question(2), {}))
    for _ in range(8):
        journal.append(Booted(0, 2, "bad", "hang", None, 1.0))
        journal.append(Booted(0, 1, "bad", "hang", None, 1.0))
        journal.append(Booted(0, 0, "good", None, None, 1.0))
    journal.append(Ended(0, AnswerKind.FOUND, culprit, culprit, 0.97))
    journal.append(Concluded(AnswerKind.FOUND, 0.97))
    return run


def test_the_answer_is_derived_from_the_boots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert print_replay(_run(tmp_path, 1), None, "text", STATUS) is ExitStatus.PASSED
    assert "begins with b" in capsys.readouterr().out


def test_what_all_searches_say_together_is_the_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = create_run(tmp_path, {})
    journal = Journal(run.folder / "journal.jsonl")
    status = {**STATUS, AnswerKind.UNDECIDED: ExitStatus.INCONCLUSIVE}

    def replayed() -> tuple[ExitStatus, str, str]:
        found = print_replay(run, None, "text", status)
        said = capsys.readouterr()
        return found, said.out, said.err

    for stage, labels in enumerate((("a", "b", "c"), ("b", "c1", "c"))):
        journal.append(Stage(stage, "commits", labels, Question(2, max_boots=5), {}))
        for counts, position in (("bad", 2), ("good", 1)) * 6 + (("good", 2),) * 2:
            journal.append(Booted(stage, position, counts, "hang" if counts == "bad" else None, None, 1.0))
        journal.append(Ended(stage, AnswerKind.UNDECIDED, None, None, 0.6))  # it went on, and the last word counts
        journal.append(Ended(stage, AnswerKind.FOUND, 2, 2, 0.97))
        # One that ended is not the whole.
        found, _, err = replayed()
        assert (found, "no conclusion: it was cut short" in err) == (ExitStatus.INCONCLUSIVE, True)
    journal.append(Concluded(AnswerKind.UNDECIDED, 0.5))
    assert replayed()[0] is ExitStatus.INCONCLUSIVE
    journal.append(Concluded(AnswerKind.FOUND, 0.951))
    found, out, err = replayed()
    assert (found, err) == (ExitStatus.PASSED, "")
    assert "all searches together: found, probability 95%" in out
    journal.append(Concluded(AnswerKind.GROUP, 0.951))
    with pytest.raises(InputError, match="concludes group, and none of its searches says so"):
        replayed()


@pytest.mark.parametrize("limit", [None, 4, 100])
def test_where_it_stopped_undecided_need_not_be_where_it_was_to_stop_at_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], limit: int | None
) -> None:
    run = create_run(tmp_path, {})
    journal = Journal(run.folder / "journal.jsonl")
    journal.append(Stage(0, "commits", ("a", "b", "c"), Question(2, max_boots=limit), {}))
    for counts, position in (("bad", 2), ("good", 1), ("bad", 2)):
        journal.append(Booted(0, position, counts, "hang" if counts == "bad" else None, None, 1.0))
    journal.append(Ended(0, AnswerKind.UNDECIDED, None, None, 0.6))
    journal.append(Concluded(AnswerKind.UNDECIDED, 0.6))
    status = {**STATUS, AnswerKind.UNDECIDED: ExitStatus.INCONCLUSIVE}
    assert print_replay(run, None, "text", status) is ExitStatus.INCONCLUSIVE
    for _ in range(60):
        journal.append(Booted(0, 2, "bad", "hang", None, 1.0))
        journal.append(Booted(0, 1, "good", None, None, 1.0))
    # It went on, and was cut short before it said so; then it says what its boots do not.
    assert print_replay(run, None, "text", status) is ExitStatus.INCONCLUSIVE
    said = capsys.readouterr().err
    assert "search 1 has not ended" in said and "no conclusion" in said
    journal.append(Ended(0, AnswerKind.UNDECIDED, None, None, 0.6))
    with pytest.raises(InputError, match="says undecided, its boots say found"):
        print_replay(run, None, "text", status)


def test_an_answer_that_the_boots_do_not_bear_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the journal says found, its boots say"):
        print_replay(_run(tmp_path, 2), None, "text", STATUS)


@pytest.mark.parametrize(("counts", "enough"), [("bad", True), ("good", False)])
def test_what_is_enough_is_derived_from_the_boots_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], counts: Literal["bad", "good"], enough: bool
) -> None:
    run = _run(tmp_path, 1)
    journal = Journal(run.folder / "journal.jsonl")
    journal.append(Stage(1, "differences of settings", ("with a", "b"), Question(1), {1: Tally(4, 4)}))
    for _ in range(20):
        journal.append(Booted(1, 0, counts, "hang", None, 1.0))
    journal.append(Checked(1, enough))
    print_replay(run, None, "text", STATUS)
    said = capsys.readouterr()
    assert f"check 2: with a, it {'fails' if enough else 'does not fail'} by itself" in said.out
    assert "has not ended" not in said.err
    text = (run.folder / "journal.jsonl").read_text()
    (run.folder / "journal.jsonl").write_text(
        text.replace(f'"enough":{str(enough).lower()}', f'"enough":{str(not enough).lower()}')
    )
    with pytest.raises(InputError, match="check 2: the journal says with a is"):
        print_replay(run, None, "text", STATUS)


def test_the_files_for_a_reviewer_and_for_a_mail(tmp_path: Path) -> None:
    run = _run(tmp_path, 1)
    write_files(run, FOUND, None)
    assert (run.folder / "proof.txt").read_text().startswith("it begins with b")
    assert (run.folder / "git-bisect.log").read_text() == "git bisect start\n"
    mail = mail_lines(run, FOUND)
    assert mail[0] == "Fixes: b"
    assert "  cpu: EPYC" in mail
    assert "  svsm-harness bisect 'a b'" in mail


def test_a_mail_names_the_host_and_the_kernels_that_it_ran(tmp_path: Path) -> None:
    run = _run(tmp_path, 1)
    journal = Journal(run.folder / "journal.jsonl")
    journal.append(HostOpened("milan", "6.1.0-b", "EPYC 7713", 128))
    mail = mail_lines(run, FOUND)
    assert mail[mail.index("Environment:") + 1 :][:4] == [
        "  host: milan",
        "  cpu: EPYC 7713",
        "  cpus: 128",
        "  kernel: 6.1.0-b",
    ]
    assert "    cpu: EPYC" in mail
    journal.append(Switched(0, 1, "6.1.0-b", "ab" * 20, "", 50.0))
    mail = mail_lines(run, FOUND)
    assert "  kernel of b: 6.1.0-b (build id abababababab; put there once, 50.0 s)" in mail
    assert "  kernel: 6.1.0-b" not in mail


@pytest.mark.parametrize("text", ["0%", "100%", "0.95"])
def test_a_confidence_is_a_rate_below_one(text: str) -> None:
    with pytest.raises(InputError, match="--confidence"):
        parse_rate_option("--confidence", text)
