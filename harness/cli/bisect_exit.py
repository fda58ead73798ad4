"""``svsm-harness run --bisect-exit``: answer `git bisect run` about the commit that is checked out."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from harness.boot.hosts import open_host_site
from harness.boot.run import PlannedBoot
from harness.boot.site import Site
from harness.campaign import Planned, record_boot
from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus
from harness.cli.live import watch
from harness.clock import utc_now
from harness.known.apply import apply_known, knower
from harness.known.entries import KnownIssues
from harness.regress.boots import counts_as, failure_signature
from harness.regress.commit_answer import CommitBoots, CommitWord, ask_boots
from harness.results.provenance import describe_run
from harness.results.record import BootLine
from harness.results.store import Run, create_run
from harness.stability.plan import seeded

__all__ = ["CommitQuestion", "answer_commit"]

_STATUS = {
    CommitWord.GOOD: ExitStatus.PASSED,
    CommitWord.BAD: ExitStatus.FAILED,
    CommitWord.CANNOT_TELL: ExitStatus.INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True)
class CommitQuestion:
    """Say what is asked of a commit: ``boots`` of each variant, for a failure with one of ``signatures``.

    No signature: any failure that is no known issue. ``parallel`` 0 means one boot for each CPU.
    """

    boots: int
    signatures: Sequence[str]
    issues: KnownIssues
    parallel: int


def answer_commit(
    question: CommitQuestion,
    plan: Callable[[Site], Awaitable[Sequence[Planned]]],
    results: Path,
    output: str,
    host: str = "local",
    kernel: str | None = None,
    modules: str | None = None,
) -> ExitStatus:
    """Boot what ``plan`` chooses until there is an answer, print it with what it is worth, and return its status.

    ``host``, ``kernel`` and ``modules`` are as :func:`~harness.cli.run.run_planned` takes them.

    :raise HarnessError: as the layers below; what was finished is recorded.
    """
    runs: list[Run] = []
    accounts: list[CommitBoots] = []

    async def everything() -> None:
        async with open_host_site(host, os.environ, results, kernel, modules) as site:
            plans = await plan(site)
            planned = [boot for boot in plans if isinstance(boot, PlannedBoot)]
            account = CommitBoots(question.boots, len(planned))
            run = create_run(results, describe_run(sys.argv))
            runs.append(run)
            accounts.append(account)
            site.keep_log(run.folder)
            for refused in plans:
                if not isinstance(refused, PlannedBoot):
                    line = await record_boot(refused, site, run, lambda _: None)
                    account.last_nothing = f"{refused.identity.variant}: {line.status}: {line.reason}"
            known = knower(run, question.issues, utc_now().date())
            with watch(question.boots * len(planned), quiet=output == "json") as board:

                async def boot(place: int, number: int) -> tuple[str, str]:
                    one = planned[place]
                    one = replace(one, setting=seeded(one.setting, number), turn=number)
                    line = await record_boot(one, site, run, lambda at: board.progress(one.identity, at))
                    board.finished(line)
                    return _counts(line, question.signatures, known), _what(line, number, len(planned))

                await ask_boots(account, boot, site.at_once(question.parallel))

    interrupted = False
    try:
        asyncio.run(everything())
    except KeyboardInterrupt:
        if not runs:
            raise
        interrupted = True
    account, folder = accounts[0], runs[0].folder
    if question.issues.entries:
        apply_known(runs[0], list(runs[0].lines()), question.issues, utc_now().date(), watched=True)
    status = ExitStatus.INTERRUPTED if interrupted else _STATUS[account.word]
    said = f"interrupted after {account.good + account.nothing} boots" if interrupted else account.sentence()
    with suppress(BrokenPipeError):  # whoever reads may leave; git still gets the exit status
        if output == "json":
            print(json.dumps(_document(account, folder, status, said), indent=1))
        else:
            print(f"{said}\nresults: {folder}", flush=True)
    return status


def _counts(line: BootLine, signatures: Sequence[str], known: Callable[[BootLine], str | None]) -> str:
    # Of a signature that is asked for, no list of known issues knows better.
    if not signatures and line.status is Status.FAIL and known(line) is not None:
        return "other"
    return counts_as(line, signatures)


def _what(line: BootLine, number: int, variants: int) -> str:
    which = f" ({line.identity.variant})" if variants > 1 else ""
    return f"boot {number}{which} ended in: {failure_signature(line)}"


def _document(account: CommitBoots, folder: Path, status: ExitStatus, sentence: str) -> dict[str, object]:
    return {
        "results": str(folder),
        "answer": account.word,
        "exit_status": int(status),
        "good": account.good,
        "bad": int(account.failure is not None),
        "told_nothing": account.nothing,
        "sentence": sentence,
    }
