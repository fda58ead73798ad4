"""``svsm-harness repro``: print how to make a recorded boot again, and make it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.hosts import open_host_site
from harness.boot.launch import launch_of
from harness.boot.load import prepare_load
from harness.boot.own_qemu import with_qemu
from harness.boot.plan import require_files
from harness.boot.run import PlannedBoot, plan_command
from harness.boot.site import Site
from harness.checks import all_checks
from harness.cli.options import Format, Results
from harness.cli.run import run_planned
from harness.cli.show import RunName
from harness.errors import InputError
from harness.host.protocol import HostKind
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
    host: Annotated[
        str | None,
        typer.Option(metavar="H", help="Where QEMU runs.  [default: where the recorded boot ran]", show_default=False),
    ] = None,
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
    name = host or (record.host.name if record.host is not None else HostKind.LOCAL)
    require_files(plan, here=name == HostKind.LOCAL)
    differences, command = asyncio.run(_compare(plan, record, name))
    if output == "text":
        print(f"# {record.identity.variant} on {record.identity.platform}, as it was at {record.started_utc}")
        for difference in differences:
            print(f"# DIFFERENT NOW: {difference}")
        print(f"{command}\n", flush=True)
    if not dry_run:
        raise typer.Exit(run_planned(lambda site: _one(plan), 1, 1, results, output, name, *_image(plan)))


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


def _image(plan: PlannedBoot) -> tuple[str | None, str | None]:
    demand = plan.setting.host
    return (None, None) if demand is None else (demand.image, demand.modules)


async def _compare(plan: PlannedBoot, record: BootRecord, host: str) -> tuple[list[str], str]:
    async with open_host_site(host, os.environ, None, *_image(plan)) as site:
        return await _differences(plan, record, site)


async def _differences(plan: PlannedBoot, record: BootRecord, site: Site) -> tuple[list[str], str]:
    site = await with_qemu(site, plan.setting.machine.qemu)
    plan = replace(plan, launch=await launch_of(plan.setting, site))
    load = await prepare_load(plan.setting, site, plan.accel)
    now = {"qemu binary": site.capabilities.binary, **load.provenance}
    qemu = site.capabilities.release
    differences = [] if qemu == record.qemu else [f"QEMU was {record.qemu}, is {qemu}"]
    ran = record.host
    if ran is not None and (ran.name, ran.kernel) != (site.host.name, site.host.facts.release):
        now_there = f"{site.host.name}, kernel {site.host.facts.release}"
        differences.append(f"the host was {ran.name}, kernel {ran.kernel}, is {now_there}")
    for part in sorted(record.provenance.keys() | now.keys()):
        before, after = record.provenance.get(part, "absent"), now.get(part, "absent")
        if before != after:
            differences.append(f"{part} was {before}, is {after}")
    wiring = Wiring.terminal(streams_of(plan.setting.machine, plan.setting.payload))
    return differences, plan_command(plan, site, load, wiring, None).shell()
