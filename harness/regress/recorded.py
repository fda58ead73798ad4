"""Count boots that earlier runs recorded as boots of an end: what a nightly has told need not be booted again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import JsonValue

from harness.checks import all_checks
from harness.errors import InputError
from harness.regress.boots import counts_as
from harness.regress.journal import End, Recorded
from harness.results.record import BootLine, BootRecord
from harness.results.store import find_part
from harness.scenario.model import Platform
from harness.scenario.setting import Setting, Variant
from harness.scenario.stored import dump_setting, load_setting
from harness.stats.bisect_posterior import Tally

__all__ = ["compared_parts", "moved_keys", "read_recorded", "require_same"]

# Of a part that each boot finds out for itself, and may find out more of than the one before.
_NO_PART = "kvm flavour"
_INSIDE = "initramfs /"


def read_recorded(
    end: End,
    results: Path,
    names: Sequence[str],
    variant: Variant,
    free: frozenset[str],
    signatures: Sequence[str],
) -> Recorded:
    """Count the boots of ``variant`` in the runs ``names``: ``RUN``, or ``RUN:VARIANT`` where its name was another one.

    ``free`` are the keys of a setting that may differ, as :func:`moved_keys` returns them. ``signatures`` are those of
    the failure, as :func:`~harness.regress.boots.counts_as` takes them.

    :raise InputError: if there are none, or they are not boots of this end: another setting, different parts.
    """
    tally = Tally()
    first: tuple[str, BootRecord] | None = None
    for name in names:
        run, wanted = find_part(results, name)
        asked = {variant.full_id} if wanted is None else {wanted}
        lines = [line for line in run.lines() if not asked.isdisjoint((line.identity.variant, line.identity.scenario))]
        booted = [(line, line.folder) for line in lines if line.folder is not None]
        if not booted:
            there = ", ".join(sorted({line.identity.variant for line in run.lines()})) or "nothing"
            raise InputError(
                f"{name} has no boots of {min(asked)}, so they are none of the {end} end; it has {there}: name one as "
                "RUN:VARIANT"
            )
        for line, folder in booted:
            record = run.read_record(run.folder / folder)
            boot = f"{name}, {folder}"
            _require_setting(end, boot, line, record, variant, free)
            first = first or (boot, record)
            _require_alike(first, (boot, record))
            tally += Tally(**{counts_as(line, signatures): 1})
    assert first is not None
    record = first[1]
    return Recorded(end, tuple(names), tally, Platform(record.identity.platform), _parts(record))


def moved_keys(one: Variant, other: Variant) -> frozenset[str]:
    """Return the keys in which the settings of two variants differ on any platform, such as ``guest.kernel``."""
    found: set[str] = set()
    for platform, setting in one.platforms:
        theirs = other.setting(platform)
        if theirs is not None:
            found |= {key for key, _, _ in _differing(_comparable(setting), _comparable(theirs))}
    return frozenset(found)


def require_same(one: Recorded, here: Mapping[str, str]) -> None:
    """Check that boots will be made of the same parts as the recorded ones: ``here`` names those that are known.

    :raise InputError: if one differs: failure rates of other parts say nothing here.
    """
    for part, found in here.items():
        was = one.parts.get(part, "absent")
        if was != found:
            raise InputError(
                f"the recorded boots of the {one.end} end were made with {part} {was or 'unknown'}, and here it is "
                f"{found}; leave --{one.end}-run out, or search where they were made"
            )


def _require_setting(
    end: End, boot: str, line: BootLine, record: BootRecord, variant: Variant, free: frozenset[str]
) -> None:
    platform = Platform(line.identity.platform)
    expected = variant.setting(platform)
    if expected is None:
        raise InputError(f"{boot}: it is of platform {platform}, which {variant.full_id} does not name")
    had = load_setting(record.setting, checks=all_checks())
    for key, was, wanted in _differing(_comparable(had), _comparable(expected)):
        # The host's OVMF for SEV is put where a setting names none (boot/launch.py, with_firmware).
        if key not in free and (key, wanted) != ("machine.firmware", None):
            raise InputError(
                f"{boot}: it is no boot of the {end} end: {key} was {was}, and there it is {wanted}; leave the run "
                "out, or search with that setting"
            )


def _require_alike(first: tuple[str, BootRecord], other: tuple[str, BootRecord]) -> None:
    named, one = first
    boot, record = other
    mine, theirs = ({"platform": record.identity.platform, **_parts(record)} for record in (one, record))
    for part in sorted(mine.keys() | theirs.keys()):
        if mine.get(part) != theirs.get(part):
            raise InputError(
                f"{boot}: {part} was {theirs.get(part, 'absent')}, and {mine.get(part, 'absent')} in {named}; one "
                "failure rate cannot speak of both: name runs of one of them"
            )


def _parts(record: BootRecord) -> Mapping[str, str]:
    cpu = "" if record.host is None else record.host.cpu
    return {"QEMU": record.qemu, "CPU": cpu, **compared_parts(record.provenance)}


def compared_parts(provenance: Mapping[str, str]) -> Mapping[str, str]:
    """Return the parts that boots of one end share; what an initramfs holds is in its own digest."""
    return {part: value for part, value in provenance.items() if part != _NO_PART and not part.startswith(_INSIDE)}


def _comparable(setting: Setting) -> dict[str, JsonValue]:
    # Seeds differ from boot to boot, and how many boots were asked for is no part of any.
    payload, perturb = setting.payload, setting.perturb
    return dump_setting(
        replace(
            setting,
            payload=None if payload is None else payload.model_copy(update={"seed": 0}),
            perturb=None if perturb is None else perturb.model_copy(update={"seed": 0}),
            stability=None,
        )
    )


def _differing(one: JsonValue, other: JsonValue, at: str = "") -> Iterator[tuple[str, JsonValue, JsonValue]]:
    # Each key by its path, such as machine.cpu or expect[2].count, with both values; None: it is not there.
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            yield from _differing(one.get(key), other.get(key), f"{at}.{key}" if at else key)
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from _differing(mine, theirs, f"{at}[{number}]")
    elif one != other:
        yield at, one, other
