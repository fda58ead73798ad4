"""``svsm-harness shell``: boot a scenario and stay, with every way in printed as a command."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.context import BootContext, Progress, Report
from harness.boot.demand import demanded_image
from harness.boot.hosts import open_host_site
from harness.boot.keep import SECOND_MONITOR, monitor_way, serve_console
from harness.boot.load import Load
from harness.boot.near_port import near_port
from harness.boot.plan import RefusedBoot, plan_boots
from harness.boot.run import Stay, run_boot
from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.cli.options import HostName, Only, Results, SetValues
from harness.clock import Deadline, monotonic_s
from harness.errors import HostError, Unsupported
from harness.guest.identity import identity_descriptors
from harness.results.provenance import describe_run
from harness.results.store import create_run
from harness.scenario.model import Platform

__all__ = ["shell"]

_ANSWER_S = 5.0


def shell(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="The scenario file.")],
    platform: Annotated[Platform | None, typer.Option("--platform", help="Boot on this grade.")] = None,
    host: HostName = "local",
    set_values: SetValues = None,
    only: Only = None,
    results: Results = Path("results"),
) -> None:
    """Boot the first variant of SCENARIO, carry out its steps, and stay until Ctrl-C or until the guest ends.

    Prints how to log in, how to reach the console, and how to talk to a second QMP monitor.
    """
    scenarios = load_files(find_files([scenario]), parse_set(set_values), os.environ)
    variant = select_variants(scenarios, only or [])[0]

    async def stay() -> None:
        async with open_host_site(host, os.environ, results, *demanded_image([variant])) as site:
            (plan,) = await plan_boots([variant], site, platform)
            if isinstance(plan, RefusedBoot):
                raise Unsupported(plan.reason)
            run = create_run(results, describe_run(sys.argv))
            site.keep_log(run.folder)
            folder = run.new_boot_folder()
            name = f"svsm-harness-{os.getpid()}"

            async def hold(context: BootContext, load: Load, gone: asyncio.Task[str]) -> None:
                async with AsyncExitStack() as stack:
                    ways = await _ways_in(context, load, name, stack)
                    print("\n".join([f"{variant.full_id} on {plan.platform}, {_state(context)}", *ways]), flush=True)
                    async with serve_console(context.machine.console, f"{name}-console"):
                        print(f"the guest ended: {await asyncio.shield(gone)}")

            record = await run_boot(plan, site, folder, _phases(), Stay(SECOND_MONITOR, hold))
            run.write_record(folder, record)
            print(f"results: {folder}")

    try:
        asyncio.run(stay())
    except KeyboardInterrupt:
        print("\nended; nothing is left running", file=sys.stderr)
    except Unsupported as error:
        raise HostError(f"{variant.full_id} cannot run here: {error}") from error


def _phases() -> Report:
    # Each phase once, with the time; the console itself is a command away.
    begin_s, seen = monotonic_s(), [""]

    def report(progress: Progress) -> None:
        if progress.phase != seen[0]:
            seen[0] = progress.phase
            print(f"[{monotonic_s() - begin_s:6.2f} s] {progress.phase}", file=sys.stderr, flush=True)

    return report


def _state(context: BootContext) -> str:
    if context.ready_s is None:
        return "which did NOT become ready"
    return f"ready after {context.ready_s:.1f} s"


async def _ways_in(context: BootContext, load: Load, name: str, stack: AsyncExitStack) -> list[str]:
    ways = []
    if load.secrets is not None and context.shell is not None:
        forwarded = await context.machine.forwarded_port(Deadline.after(_ANSWER_S))
        port = await stack.enter_async_context(near_port(context.host, forwarded))
        key, known_hosts = stack.enter_context(identity_descriptors(load.secrets, port))
        mine = f"/proc/{os.getpid()}/fd"
        ways.append(
            f"  log in    ssh -i {mine}/{key} -o UserKnownHostsFile={mine}/{known_hosts} -p {port} root@127.0.0.1"
        )
    ways += [
        f"  console   socat -,raw,echo=0,escape=0x1d ABSTRACT-CONNECT:{name}-console     (Ctrl-] leaves)",
        await monitor_way(context, stack),
        f"  logs      {context.folder}",
        "Ctrl-C ends the guest.",
    ]
    return ways
