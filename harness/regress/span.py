"""Define what is searched: positions from a good end to a bad one, each of which can be made ready to boot."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.errors import InputError
from harness.regress.build import Builder, BuildFailed
from harness.regress.difference import Difference, apply_differences
from harness.regress.git_range import Commit
from harness.regress.kernel_value import HOST_KEYS, host_of, split_kernel

__all__ = [
    "CannotTest",
    "Place",
    "Span",
    "list_span",
    "setting_span",
    "tree_span",
]


class CannotTest(Exception):
    """Say why a position cannot be made ready."""


@dataclass(frozen=True, slots=True)
class Place:
    """Be a position that is ready: the variables that select it; ``digest`` None: identity not known."""

    values: Mapping[str, str]
    digest: str | None
    took_s: float


@dataclass(frozen=True, slots=True)
class Span:
    """Be positions 0 (good end) to N (bad end); ``candidates[i]`` names what comes in at position ``i`` + 1.

    ``prepare`` may take long where it ``builds``, and raises :class:`CannotTest`. ``hosts`` tells which kernel a
    position needs on the host: between equal ones it need not be rebooted; empty: it never is.
    """

    what: str
    labels: tuple[str, ...]
    candidates: tuple[str, ...]
    prepare: Callable[[int], Place]
    hosts: tuple[str, ...] = ()
    builds: bool = False

    def beside(self, values: Mapping[str, str]) -> Span:
        """Return the same with further ``values`` at every position."""

        def prepare(position: int) -> Place:
            place = self.prepare(position)
            return replace(place, values={**values, **place.values})

        return replace(self, prepare=prepare)


def list_span(variable: str, values: Sequence[str], *, here: bool = True) -> Span:
    """Search an ordered list of values of one variable: kernels, QEMU binaries, IGVM files, firmware.

    ``here`` False: they boot on another host, which may have files that this machine has not.

    :raise InputError: if there are fewer than two.
    """
    if len(values) < 2:
        raise InputError(f"--list {variable}: name at least two values, from good to bad, with commas between")

    def prepare(position: int) -> Place:
        value = values[position]
        if "/" not in value:
            return Place({variable: value}, None, 0.0)
        named, modules = split_kernel(value) if variable.endswith(".kernel") else (value, None)
        path = Path(named)
        if not path.is_file():
            if not here:
                return Place({variable: value}, None, 0.0)
            raise CannotTest(f"there is no file {named}")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # The same image with other modules is another kernel.
        return Place({variable: value}, f"{digest} with {modules}" if modules else digest, 0.0)

    hosts = tuple(values) if variable in HOST_KEYS else ()
    return Span(f"values of {variable}", tuple(values), tuple(values[1:]), prepare, hosts)


def tree_span(commits: Sequence[Commit], builder: Builder, variable: str) -> Span:
    """Search commits, each built and put into ``variable``."""

    def prepare(position: int) -> Place:
        try:
            built = builder.build(commits[position])
        except BuildFailed as error:
            raise CannotTest(str(error)) from error
        return Place({variable: str(built.path)}, built.digest, built.took_s)

    labels = tuple(commit.label for commit in commits)
    hosts = tuple(commit.tree for commit in commits) if variable in HOST_KEYS else ()
    return Span("commits", labels, labels[1:], prepare, hosts, builds=True)


def setting_span(good: Mapping[str, str], needed: Sequence[Difference], pool: Sequence[Difference]) -> Span:
    """Search which of ``pool`` the failure needs, with ``needed`` in place: position i has the first i of it."""

    def prepare(position: int) -> Place:
        return Place(apply_differences(good, [*needed, *pool[:position]]), None, 0.0)

    begin = "with " + ", ".join(one.label for one in needed) if needed else "the good setting"
    labels = tuple(difference.label for difference in pool)
    all_values = [prepare(position).values for position in range(len(pool) + 1)]
    hosts = tuple(host_of(values) for values in all_values)
    if len(set(hosts)) == 1:
        hosts = ()
    return Span("differences of settings", (begin, *labels), labels, prepare, hosts)
