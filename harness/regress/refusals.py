"""Refuse what cannot be bisected before anything is built, booted or recorded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.catalogue import load_files, select_variants
from harness.errors import InputError
from harness.host.protocol import HostKind
from harness.regress.bisect_host import require_host_known
from harness.regress.difference import differences
from harness.regress.journal import End
from harness.regress.kernel_value import require_bootable, require_kernel_files
from harness.regress.spec import Spec
from harness.scenario.setting import Variant
from harness.scenario.variants import key_path

__all__ = ["ends", "one_variant", "require_sound"]

_QEMU = "machine.qemu"


def require_sound(spec: Spec, environment: Mapping[str, str]) -> None:
    """Check what can be known beforehand: the host, the scenario with the settings of both ends, their files.

    :raise InputError: saying what is wrong.
    """
    require_host_known(spec.host, environment, switching=spec.switching)
    if spec.setting is not None:
        differences(spec.setting.good, spec.setting.bad)
    listed = {one.variable for one in spec.lists}
    _require_each_once(spec)
    if spec.git is not None and spec.git.into == _QEMU and spec.host != HostKind.LOCAL:
        raise InputError(
            f"--into {_QEMU}: a QEMU that is built here boots here only; leave --host out, or search binaries that "
            f"{spec.host} has, by --list {_QEMU}=OLD,NEW"
        )
    for values in ends(spec).values():
        one_variant(spec, values, environment)
        for key, value in values.items():
            option = "--list" if key in listed else "--good-set and --bad-set"
            if spec.git is not None and key == spec.git.into:
                continue
            if key.endswith(".kernel"):
                require_kernel_files(option, value)
                if key == "host.kernel" and spec.host == HostKind.VIRTUAL:
                    require_bootable(option, value)
            elif key in listed and _missing_here(spec, value):
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


def _require_each_once(spec: Spec) -> None:
    keys = [one.variable for one in spec.lists]
    keys += [] if spec.git is None else [spec.git.into]
    keys += [] if spec.setting is None else spec.setting.good
    paths = [key_path(key) or key for key in keys]  # memory is machine.memory
    for key, path in zip(keys, paths, strict=True):
        if paths.count(path) > 1:
            raise InputError(f"{key} is searched twice; of several components, each has a key of its own")


def _missing_here(spec: Spec, value: str) -> bool:
    # Another host may have its own QEMUs, firmware and IGVM files.
    return spec.host == HostKind.LOCAL and "/" in value and not Path(value).is_file()


def ends(spec: Spec) -> Mapping[End, Mapping[str, str]]:
    """Return the values of both ends; of commits, whose files are still to be built, those of none in particular."""
    built = {} if spec.git is None else {spec.git.into: str(Path(spec.git.repository, spec.git.artifact))}
    good, bad = ({}, {}) if spec.setting is None else (spec.setting.good, spec.setting.bad)
    return {
        "good": {**built, **{one.variable: one.values[0] for one in spec.lists}, **good},
        "bad": {**built, **{one.variable: one.values[-1] for one in spec.lists}, **bad},
    }
