"""Define the options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.errors import InputError

__all__ = [
    "DEFAULT_SCENARIOS",
    "Format",
    "HostName",
    "Only",
    "Paths",
    "PerturbValues",
    "Results",
    "SetValues",
    "paths_or_default",
    "set_values_and",
]

DEFAULT_SCENARIOS = Path("scenarios")

Paths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[PATH]...", help="Scenario files, or folders of them.  [default: scenarios]", show_default=False
    ),
]
SetValues = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Give a variable, pin an axis of the matrix, or replace a key: --set vcpus=2 --set machine.cpu=max "
        "--set 'machine.options=[-d, int]'",
        show_default=False,
    ),
]
PerturbValues = Annotated[
    list[str] | None,
    typer.Option(
        "--perturb",
        metavar="KEY=VALUE",
        help="Perturb every start: cpus=1, pause=20ms, pause_every=100ms, memory=512M, device=…, seed=2; as --set "
        "perturb.KEY=VALUE.",
        show_default=False,
    ),
]
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only", metavar="NAME", help="Only this variant, scenario or tag; may be repeated.", show_default=False
    ),
]
HostName = Annotated[
    str,
    typer.Option(
        "--host",
        metavar="H",
        help="Where QEMU runs: local, virtual (a Linux guest with KVM, booted for the run), or a machine of "
        "ci/hosts.yaml (or of $SVSM_HARNESS_HOSTS).",
    ),
]
Results = Annotated[Path, typer.Option("--results", metavar="DIR", help="Folder that keeps the records of all runs.")]
Format = Annotated[Literal["text", "json"], typer.Option("--format", help="For people, or one JSON document.")]


def set_values_and(perturb: Sequence[str] | None, set_values: Sequence[str] | None) -> list[str]:
    """Return the ``--set`` options, with those that the ``--perturb`` options stand for."""
    return [*(f"perturb.{value}" for value in perturb or ()), *(set_values or ())]


def paths_or_default(paths: Sequence[Path] | None) -> Sequence[Path]:
    """Return the paths, or the folder of the shipped scenarios.

    :raise InputError: if there are none and no such folder here.
    """
    if paths:
        return paths
    if not DEFAULT_SCENARIOS.is_dir():
        raise InputError("there is no folder scenarios here; name scenario files, or go to the checkout")
    return [DEFAULT_SCENARIOS]
