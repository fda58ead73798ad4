"""``svsm-harness doctor``: say what this machine can run."""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path

import typer

from harness.cli.exit_status import ExitStatus
from harness.cli.options import Format, Results
from harness.cli.table import columns, terminal_width
from harness.doctor import examine

__all__ = ["doctor"]


def doctor(results: Results = Path("results"), output: Format = "text") -> None:
    """Look at QEMU, KVM, the guest's parts and this machine; say the best grade it reaches and what is in the way.

    Exit status 0 if something can run here, 5 if nothing can.
    """
    report = asyncio.run(examine(os.environ, results))
    if output == "json":
        print(json.dumps(asdict(report), indent=1))
    else:
        heading = ("", "group", "look at", "matters to", "seen")
        rows = [heading, *((str(f.state), f.group, f.name, f.means, f.value) for f in report.findings)]
        print("\n".join(columns(rows, terminal_width())))
        for finding in report.findings:
            if finding.fix:
                print(f"\n{finding.name}: {finding.fix}", end="")
        print(f"\n\nbest grade here: {report.best or 'none'}\nin the way of more: {report.in_the_way}")
    if report.best is None:
        raise typer.Exit(ExitStatus.NOTHING_RAN)
