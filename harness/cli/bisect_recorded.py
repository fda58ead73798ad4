"""Offer the options of ``svsm-harness bisect`` that count what earlier runs recorded of an end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from harness.boot.own_qemu import with_qemu
from harness.boot.parts import parts_of
from harness.errors import InputError
from harness.host.cache import cache_dir
from harness.regress.boots import Booter
from harness.regress.journal import End, HostOpened, Recorded
from harness.regress.kernel_value import settle_kernels
from harness.regress.recorded import compared_parts, moved_keys, read_recorded, require_same
from harness.regress.refusals import ends, one_variant
from harness.regress.spec import Spec

__all__ = ["BadRuns", "GoodRuns", "require_same_cpu", "require_same_parts", "with_recorded"]

GoodRuns = Annotated[
    list[str] | None,
    typer.Option(
        "--good-run",
        metavar="RUN",
        help="A recorded run of the good end (RUN, or RUN:VARIANT): its boots count and are not made again. May be "
        "repeated.",
        show_default=False,
    ),
]
BadRuns = Annotated[
    list[str] | None,
    typer.Option(
        "--bad-run", metavar="RUN", help="The same of the bad end: the failure rate is known then.", show_default=False
    ),
]


def with_recorded(
    spec: Spec,
    results: Path,
    good: Sequence[str] | None,
    bad: Sequence[str] | None,
    environment: Mapping[str, str],
) -> Spec:
    """Return ``spec`` with the boots that runs under ``results`` recorded of its ends, on the platform that they had.

    :raise InputError: if a run is none of its end.
    """
    found: list[Recorded] = []
    named = {"good": good, "bad": bad}
    for end, values in _settled_ends(spec, environment, good, bad).items():
        names = named[end]
        if not names:
            continue
        (variant,) = one_variant(spec, values, environment)
        free = frozenset[str]()
        if spec.git is not None:
            # Which file the image was is not known before it is built; all else is.
            (moved,) = one_variant(spec, {spec.git.into: f"{values[spec.git.into]}-moved"}, environment)
            free = moved_keys(variant, moved)
        found.append(read_recorded(end, results, names, variant, free, spec.signatures))
    platforms = sorted({one.platform for one in found} | ({spec.platform} if spec.platform is not None else set()))
    if len(platforms) > 1:
        raise InputError(
            f"boots of different grades ({' and '.join(platforms)}) are not counted together: name runs of one platform"
        )
    return replace(spec, recorded=tuple(found), platform=platforms[0] if platforms else None)


async def require_same_parts(spec: Spec, booter: Booter) -> None:
    """Check that what is recorded was made of what would be booted here, as far as that is known before it is built.

    Where host kernels are searched nothing is compared: no host may run yet.

    :raise InputError: if a part differs.
    """
    if not spec.recorded or spec.switching:
        return
    values = _settled_ends(spec, booter.environment, *(one.runs for one in spec.recorded))
    for one in spec.recorded:
        if spec.git is None:
            planned = await booter.plan(values[one.end], 1)
            require_same(one, compared_parts(await parts_of(planned, booter.site())))
        elif spec.git.into != "machine.qemu":
            (variant,) = one_variant(spec, values[one.end], booter.environment)
            setting = variant.setting(one.platform)
            assert setting is not None  # read_recorded
            qemu = (await with_qemu(booter.site(), setting.machine.qemu)).capabilities
            require_same(one, {"QEMU": qemu.release, "qemu binary": qemu.binary})


# Kernels as a boot names them: a package is an image and its modules there. Nothing is fetched where no run is named.
def _settled_ends(
    spec: Spec, environment: Mapping[str, str], *runs: Sequence[str] | None
) -> Mapping[End, Mapping[str, str]]:
    found = ends(spec)
    if not any(runs):
        return found
    built = set() if spec.git is None else {spec.git.into}
    settled: dict[End, Mapping[str, str]] = {}
    for end, values in found.items():
        files = {key: value for key, value in values.items() if key in built}
        rest = {key: value for key, value in values.items() if key not in built}
        settled[end] = {**settle_kernels(rest, cache_dir(environment)), **files}
    return settled


def require_same_cpu(spec: Spec, opened: HostOpened) -> None:
    """Check, whenever a host is opened, that its CPU is the one that the recorded boots were made on.

    :raise InputError: if it is another one.
    """
    for one in spec.recorded:
        require_same(one, {"CPU": opened.cpu})
