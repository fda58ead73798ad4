"""Refuse what cannot be bisected before anything is built, booted or recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.catalogue import load_files, select_variants
from harness.errors import InputError
from harness.host.protocol import HostKind
from harness.regress.bisect_host import require_host_known
from harness.regress.journal import End
from harness.regress.kernel_value import require_bootable, require_kernel_files
from harness.regress.span import differences
from harness.regress.spec import Spec
from harness.scenario.setting import Variant

__all__ = ["ends", "one_variant", "require_sound"]

_QEMU = "machine.qemu"


def require_sound(spec: Spec, environment: Mapping[str, str]) -> None:
    """Check what can be known beforehand: the host, the scenario with the settings of both ends, their files.

    :raise InputError: saying what is wrong.
    """
    require_host_known(spec.host, environment, switching=spec.switching)
    if spec.setting is not None:
        differences(spec.setting.good, spec.setting.bad)
    option = "--list" if spec.list is not None else "--good-set and --bad-set"
    if spec.git is not None and spec.git.into == _QEMU and spec.host != HostKind.LOCAL:
        raise InputError(
            f"--into {_QEMU}: a QEMU that is built here boots here only; leave --host out, or search binaries that "
            f"{spec.host} has, by --list {_QEMU}=OLD,NEW"
        )
    for values in ends(spec).values():
        one_variant(spec, values, environment)
        for key, value in values.items():
            if key.endswith(".kernel") and spec.git is None:
                require_kernel_files(option, value)
                if key == "host.kernel" and spec.host == HostKind.VIRTUAL:
                    require_bootable(option, value)
            elif spec.list is not None and _missing_here(spec, value):
                raise InputError(f"{option}: there is no {value}")


def one_variant(spec: Spec, values: Mapping[str, str], environment: Mapping[str, str]) -> Sequence[Variant]:
    """Return the one variant that is booted with the values of a position.

    :raise InputError: if the scenario cannot be loaded with them, or has several variants.
    """
    scenarios = load_files([Path(spec.scenario)], {**spec.fixed, **values}, environment)
    variants = select_variants(scenarios, spec.only)
    if len(variants) != 1:
        names = ", ".join(variant.full_id for variant in variants[:4])
        raise InputError(f"a bisection boots one variant; choose with --only or --set from {names}")
    return variants


def _missing_here(spec: Spec, value: str) -> bool:
    # Another host may have its own QEMUs, firmware and IGVM files.
    return spec.host == HostKind.LOCAL and "/" in value and not Path(value).is_file()


def ends(spec: Spec) -> Mapping[End, Mapping[str, str]]:
    """Return the values of both ends; of commits, whose files are still to be built, those of none in particular."""
    if spec.list is not None:
        first, *_, last = spec.list.values
        return {"good": {spec.list.variable: first}, "bad": {spec.list.variable: last}}
    if spec.setting is not None:
        return {"good": spec.setting.good, "bad": spec.setting.bad}
    assert spec.git is not None
    built = {spec.git.into: str(Path(spec.git.repository, spec.git.artifact))}
    return {"good": built, "bad": built}
