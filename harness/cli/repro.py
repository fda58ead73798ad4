"""``svsm-harness repro``: print how to make a recorded boot again, and make it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.launch import launch_of
from harness.boot.load import prepare_load
from harness.boot.plan import require_files
from harness.boot.run import PlannedBoot, plan_command
from harness.boot.site import Site, open_site
from harness.checks import all_checks
from harness.cli.options import Format, Results
from harness.cli.run import run_planned
from harness.cli.show import RunName
from harness.errors import InputError
from harness.qemu.command import Accel, Wiring, streams_of
from harness.results.record import BootRecord
from harness.results.store import find_run, split_boot
from harness.scenario.model import Platform
from harness.scenario.setting import Variant
from harness.scenario.stored import load_setting

__all__ = ["repro"]


def repro(
    name: RunName,
    results: Results = Path("results"),
    output: Format = "text",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print, but boot nothing.")] = False,
) -> None:
    """Make a recorded boot again with the setting that its record holds, whatever the scenario file says today.

    Prints the QEMU command line first, and every part that is no longer what it was. The keys are fresh: they are never
    recorded.
    """
    run_name, boot = split_boot(name)
    if boot is None:
        raise InputError(f"repro makes one boot: name it, such as {name}/1")
    run = find_run(results, run_name)
    record = run.read_record(run.boot_folder(boot))
    plan = planned_again(record)
    require_files(plan)
    differences, command = asyncio.run(_compare(plan, record))
    if output == "text":
        print(f"# {record.identity.variant} on {record.identity.platform}, as it was at {record.started_utc}")
        for difference in differences:
            print(f"# DIFFERENT NOW: {difference}")
        print(f"{command}\n", flush=True)
    if not dry_run:
        raise typer.Exit(run_planned(lambda site: _one(plan), 1, 1, results, output))


async def _one(plan: PlannedBoot) -> tuple[PlannedBoot]:
    return (plan,)


def planned_again(record: BootRecord) -> PlannedBoot:
    """Plan the boot that the record describes.

    :raise ScenarioError: if another version of the harness wrote its setting.
    """
    setting = load_setting(record.setting, checks=all_checks())
    platform = Platform(record.identity.platform)
    identity = record.identity
    _, bracket, axes = identity.variant.partition("[")
    variant = Variant(
        scenario=identity.scenario,
        about=f"made again from the boot of {record.started_utc}",
        tags=(),
        file=identity.file,
        id=axes.removesuffix("]") if bracket else "-",
        slug=identity.slug,
        axes=(),
        platforms=((platform, setting),),
    )
    return PlannedBoot(variant, platform, setting, Accel(record.accel))


async def _compare(plan: PlannedBoot, record: BootRecord) -> tuple[list[str], str]:
    site: Site = await open_site(os.environ)
    plan = replace(plan, launch=await launch_of(plan.setting, site))
    load = await prepare_load(plan.setting, site, plan.accel)
    now = {"qemu binary": site.capabilities.binary, **load.provenance}
    qemu = f"{site.capabilities.version_text} {site.capabilities.package}".strip()
    differences = [] if qemu == record.qemu else [f"QEMU was {record.qemu}, is {qemu}"]
    for part in sorted(record.provenance.keys() | now.keys()):
        before, after = record.provenance.get(part, "absent"), now.get(part, "absent")
        if before != after:
            differences.append(f"{part} was {before}, is {after}")
    wiring = Wiring.terminal(streams_of(plan.setting.machine, plan.setting.payload))
    return differences, plan_command(plan, site, load, wiring, None).shell()
