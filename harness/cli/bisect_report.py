"""Print and write what a bisection found: sentences, proof log, mail, plot, git's own log."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.cli.exit_status import ExitStatus
from harness.errors import InputError
from harness.host.protocol import HostKind
from harness.regress.conclusion import Conclusion
from harness.regress.journal import (
    Checked,
    Concluded,
    Ended,
    Entry,
    HostOpened,
    Journal,
    Stage,
    Switched,
    concluded_of,
    ended_of,
    known_of,
)
from harness.regress.plot import Narrowing, draw_file, terminal_plot
from harness.regress.proof import answer_sentence, bits_left, check_sentence, host_kernels, how_sure, proof_lines
from harness.regress.subset import boots_to_check, good_side
from harness.results.files import write_whole
from harness.results.store import Run, read_about
from harness.stats.bisect import Answer, AnswerKind, next_step
from harness.stats.bisect_choice import Costs
from harness.stats.bisect_posterior import Tally

__all__ = ["mail_lines", "print_conclusion", "print_replay", "stopped_at_limit", "write_files"]


def write_files(run: Run, conclusion: Conclusion, plot: Path | None) -> None:
    """Write ``proof.txt``, ``mail.txt`` and, of commits, ``git-bisect.log`` into the run, and the plot.

    :raise HostError: if they cannot be written.
    :raise InputError: if the plot needs what is not installed.
    """
    entries = list(Journal(run.folder / "journal.jsonl").entries())
    write_whole(run.folder / "proof.txt", "\n".join([*conclusion.sentences, "", *proof_lines(entries), ""]).encode())
    write_whole(run.folder / "mail.txt", "\n".join(mail_lines(run, conclusion)).encode() + b"\n")
    if conclusion.git_log is not None:
        write_whole(run.folder / "git-bisect.log", conclusion.git_log.encode())
    if plot is not None:
        _draw(run, plot)


def mail_lines(run: Run, conclusion: Conclusion) -> list[str]:
    """Return a summary to paste into a mail: title, rates with intervals, environment, how to do it again."""
    about = read_about(run)
    command = about.get("command")
    words = [str(word) for word in command] if isinstance(command, list) else []
    host = about.get("host")
    facts = (
        [f"{key}: {host[key]}" for key in ("cpu", "cpus", "kernel", "system") if key in host]
        if isinstance(host, dict)
        else []
    )
    elsewhere = _other_host(run)
    if elsewhere:
        facts = [*elsewhere, "and of the machine that ran the harness:", *(f"  {fact}" for fact in facts)]
    return [
        conclusion.title or "Bisection without a culprit",
        "",
        *conclusion.sentences,
        "",
        "Environment:",
        *(f"  {fact}" for fact in facts),
        "",
        "To do it again:",
        f"  {shlex.join(words)}",
        "To check it (boots nothing):",
        f"  svsm-harness bisect --replay {run.folder.name}",
    ]


# Empty where boots were made on this machine.
def _other_host(run: Run) -> list[str]:
    entries = list(Journal(run.folder / "journal.jsonl").entries())
    opened = [entry for entry in entries if isinstance(entry, HostOpened) and entry.name != HostKind.LOCAL]
    if not opened:
        return []
    lines = [f"host: {opened[-1].name}", f"cpu: {opened[-1].cpu}", f"cpus: {opened[-1].cpus}"]
    stages = {entry.stage: entry for entry in entries if isinstance(entry, Stage)}
    switched = sorted({(entry.stage, entry.position) for entry in entries if isinstance(entry, Switched)})
    if not switched:
        return [*lines, f"kernel: {opened[-1].release}"]
    for stage, position in switched:
        own = [entry for entry in entries if entry.stage == stage]
        lines += [f"kernel of {stages[stage].labels[position]}: {text}" for text in host_kernels(own, position)]
    return lines


def print_conclusion(run: Run, conclusion: Conclusion, output: str) -> None:
    """Print the answer for people, or one JSON document."""
    journal = list(Journal(run.folder / "journal.jsonl").entries())
    if output == "json":
        document = {
            "results": str(run.folder),
            "answer": conclusion.kind,
            "probability": conclusion.probability,
            "title": conclusion.title,
            "sentences": conclusion.sentences,
        }
        print(json.dumps(document, indent=1))
        return
    print()
    stages = [entry for entry in journal if isinstance(entry, Stage) and ended_of(journal, entry.stage) is not None]
    for stage in stages:
        if len(stages) > 1:
            print(f"search {stage.stage + 1}, {stage.labels[0]} to {stage.labels[-1]}")
        print("\n".join(terminal_plot(bits_left(journal, stage), len(stage.labels) - 1)))
    print()
    print("\n".join(conclusion.sentences))
    if conclusion.title:
        print(conclusion.title)
    names = [name for name in ("proof.txt", "mail.txt", "git-bisect.log") if (run.folder / name).exists()]
    print(f"results: {run.folder} ({', '.join(names)})")


def stopped_at_limit(run: Run) -> bool:
    """Tell whether the last search to end did so undecided: more boots may decide it."""
    ended = [entry for entry in Journal(run.folder / "journal.jsonl").entries() if isinstance(entry, Ended)]
    return bool(ended) and ended[-1].answer is AnswerKind.UNDECIDED


def print_replay(run: Run, plot: Path | None, output: str, status: Mapping[AnswerKind, ExitStatus]) -> ExitStatus:
    """Derive the answer of each search from its boots alone, and compare it with the one that was given.

    :raise InputError: if the run has no journal, or the answers differ.
    """
    entries = list(Journal(run.folder / "journal.jsonl").entries())
    stages = [entry for entry in entries if isinstance(entry, Stage)]
    if not stages:
        raise InputError(f"{run.folder} has no journal of a bisection")
    answers: list[AnswerKind] = []
    for stage in stages:
        given = ended_of(entries, stage.stage)
        checked = _replay_check(entries, stage)
        if checked is not None and output == "text":
            print(f"check {stage.stage + 1}: {checked}")
        if given is None:
            if checked is None:
                print(f"search {stage.stage + 1} has not ended", file=sys.stderr)
            continue
        known = known_of(entries, stage.stage)
        # Where it stopped is for who asked to say, and may have been changed since; whether it had to is not.
        limit = known.boots if given.answer is AnswerKind.UNDECIDED else None
        answer = next_step(replace(stage.question, max_boots=limit), known, Costs(1, 1, 0))
        group = answer.group if isinstance(answer, Answer) else None
        found = (answer.kind if isinstance(answer, Answer) else "none", group and group.first, group and group.last)
        if found != (given.answer, given.first, given.last):
            raise InputError(f"search {stage.stage + 1}: the journal says {given.answer}, its boots say {found[0]}")
        assert isinstance(answer, Answer)
        if output == "text":
            print(f"search {stage.stage + 1}: {answer_sentence(answer, stage.labels, known, stage.question)}")
        answers.append(answer.kind)
    whole = _replay_whole(run, entries, answers)
    last = ExitStatus.INCONCLUSIVE if whole is None else status[whole.answer]
    if whole is not None and len(answers) > 1 and output == "text":
        print(f"all searches together: {whole.answer}, probability {how_sure(whole.probability)}")
    if output == "json":
        print(
            json.dumps({"results": str(run.folder), "exit_status": int(last), "proof": proof_lines(entries)}, indent=1)
        )
    else:
        print("\n".join(proof_lines(entries)))
    if plot is not None:
        _draw(run, plot)
    return last


def _replay_whole(run: Run, entries: Sequence[Entry], answers: Sequence[AnswerKind]) -> Concluded | None:
    # How several searches belong together is what the journal says of them.
    concluded = concluded_of(entries)
    if concluded is None:
        resume = f"svsm-harness bisect --resume {run.folder}"
        print(
            f"no conclusion: it was cut short, or an older version wrote it; to go on, or add it: {resume}",
            file=sys.stderr,
        )
    elif concluded.answer not in answers and concluded.answer is not AnswerKind.UNDECIDED:
        raise InputError(f"the journal concludes {concluded.answer}, and none of its searches says so")
    return concluded


def _replay_check(entries: Sequence[Entry], stage: Stage) -> str | None:
    # None: nothing was checked. What was decided rests on the boots that were made by then.
    for number, entry in enumerate(entries):
        if isinstance(entry, Checked) and entry.stage == stage.stage:
            known = known_of(entries[:number], stage.stage)
            first = ended_of(entries[:number], 0)
            good = Tally() if first is None or first.first is None else good_side(known_of(entries, 0), first.first)
            bad = stage.inherited[stage.question.candidates]
            enough = boots_to_check(known.at(0), good, bad, stage.question)
            if enough is not entry.enough:
                said = "is enough" if entry.enough else "is not enough"
                raise InputError(
                    f"check {stage.stage + 1}: the journal says {stage.labels[0]} {said}, its boots do not"
                )
    return check_sentence(entries, stage)


def _draw(run: Run, plot: Path) -> None:
    os.environ.setdefault("MPLBACKEND", "Agg")
    entries = list(Journal(run.folder / "journal.jsonl").entries())
    stages = [entry for entry in entries if isinstance(entry, Stage)]
    searched = [stage for stage in stages if ended_of(entries, stage.stage) is not None] or stages[:1]
    searches = [
        Narrowing(f"{stage.labels[0]} to {stage.labels[-1]}", bits_left(entries, stage), len(stage.labels) - 1)
        for stage in searched
    ]
    draw_file(plot, searches)
