"""``svsm-harness bundle``: pack one boot into one archive that somebody else can boot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Results
from harness.cli.show import RunName
from harness.errors import InputError
from harness.report.bundle import LARGEST_BYTES, pack_boot
from harness.results.store import find_run, split_boot
from harness.units import format_bytes, parse_bytes

__all__ = ["bundle"]


def bundle(
    name: RunName,
    results: Results = Path("results"),
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Where to.  [default: RUN-BOOT.tar.gz here]", show_default=False
        ),
    ] = None,
    largest: Annotated[
        str,
        typer.Option(metavar="SIZE", help="A file that is larger is named by its digest and not packed."),
    ] = format_bytes(LARGEST_BYTES),
) -> None:
    """Pack the scenario, command line, digests, logs and trace of a boot, and a script that boots it again.

    The script needs QEMU and nothing of the harness. It boots the same machine from the same files; steps that the
    harness carried out over QMP or SSH are listed beside it.
    """
    run_name, boot = split_boot(name)
    if boot is None:
        raise InputError(f"bundle packs one boot: name it, such as {name}/1")
    try:
        largest_bytes = parse_bytes(largest)
    except ValueError as error:
        raise InputError(f"--largest: {error}") from error
    run = find_run(results, run_name)
    folder = run.boot_folder(boot)
    target = output or Path(f"{run.folder.name}-{folder.name}.tar.gz")
    packed = pack_boot(run, folder.name, target, largest_bytes)
    for file in packed:
        if not file.inside:
            why = f"{file.size_bytes >> 20} MiB" if file.sha256 else "it is not here"
            print(f"not packed, named by digest: {file.path} ({why})")
        if file.known is False:
            print(f"NOT what was booted, it changed since: {file.path}")
    print(f"bundle: {target} ({target.stat().st_size >> 10} KiB); unpack it and run reproduce.sh")
