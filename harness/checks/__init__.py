"""Judge the evidence of one boot: one check a file, found here by its module."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from inspect import isclass
from pkgutil import iter_modules

from harness.checks.base import Check

__all__ = ["all_checks"]


@cache
def all_checks() -> Mapping[str, type[Check]]:
    """Return every check by the key that scenarios use; adding a file to this package adds its check."""
    checks: dict[str, type[Check]] = {}
    for module in iter_modules(__path__):
        for thing in vars(import_module(f"{__name__}.{module.name}")).values():
            if isclass(thing) and issubclass(thing, Check) and "key" in vars(thing):
                checks[thing.key] = thing
    return checks
