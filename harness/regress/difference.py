"""Take the differences between two settings apart, and put some of them into the good one.

A value that is a list differs in its parts: CPU flags (``max,-cx16``), QEMU's options and devices (``[-d, int]``, as
YAML has it; an option with its arguments is one part), and the words of a kernel's command line (``guest.append``).
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from harness.errors import InputError

__all__ = ["Difference", "apply_differences", "differences"]

_WORDS = frozenset({"append", "guest.append"})


@dataclass(frozen=True, slots=True)
class Difference:
    """Be one thing that differs between two settings: in ``key``, what is ``good`` becomes ``bad``.

    ``whole``: the values themselves differ. Else they are lists, and ``good`` is a part that is taken out of the good
    one, or ``bad`` one that is put into it (the other is empty). ``names`` say of built files what they were built of;
    None: the values speak for themselves.
    """

    key: str
    good: str
    bad: str
    whole: bool
    names: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Render for people."""
        if self.whole:
            good, bad = self.names or (self.good, self.bad)
            return f"{self.key}: {good} → {bad}"
        return f"{self.key}: without {self.good}" if self.good else f"{self.key}: with {self.bad}"


def differences(good: Mapping[str, str], bad: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return what differs; lists are taken apart, those with commas if they begin alike: ``max,-cx16`` and ``max``.

    :raise InputError: if one side names a key that the other does not, nothing differs, or a list is none.
    """
    lonely = sorted(good.keys() ^ bad.keys())
    if lonely:
        raise InputError(f"{lonely[0]} is given for one side only; give it with --good-set and with --bad-set")
    found: list[Difference] = []
    for key in good:
        ours, theirs = _parts(key, good[key]), _parts(key, bad[key])
        commas = not (key in _WORDS or _is_list(good[key]))
        alike = ours[0] == theirs[0] and max(len(ours), len(theirs)) > 1 if commas else True
        if alike and _is_list(good[key]) == _is_list(bad[key]):
            found += [Difference(key, part, "", False) for part in ours if part not in theirs]
            found += [Difference(key, "", part, False) for part in theirs if part not in ours]
        elif good[key] != bad[key]:
            found.append(Difference(key, good[key], bad[key], True))
    if not found:
        raise InputError(
            "the two settings do not differ; give what is good with --good-set, what is bad with --bad-set"
        )
    return tuple(found)


def apply_differences(good: Mapping[str, str], applied: Sequence[Difference]) -> dict[str, str]:
    """Return the good setting with ``applied`` made bad."""
    values = dict(good)
    for difference in applied:
        if difference.whole:
            values[difference.key] = difference.bad
            continue
        value = values[difference.key]
        parts = [part for part in _parts(difference.key, value) if part != difference.good]
        parts += [difference.bad] if difference.bad else []
        if _is_list(value):
            values[difference.key] = json.dumps([word for part in parts for word in shlex.split(part)])
        else:
            values[difference.key] = (" " if difference.key in _WORDS else ",").join(parts)
    return values


def _is_list(value: str) -> bool:
    return value.startswith("[")


def _parts(key: str, value: str) -> list[str]:
    if not _is_list(value):
        return value.split() if key in _WORDS else value.split(",")
    try:
        items = yaml.load(value, Loader=yaml.BaseLoader)  # all items as text: off is no false
    except yaml.YAMLError:
        items = None
    if not isinstance(items, list) or any(isinstance(item, list | dict) for item in items):
        raise InputError(
            f"{key}={value}: this is no list; write [a, b], and quote a text that has a comma or ': ' in it"
        )
    parts: list[list[str]] = []
    for word in items:
        if parts and parts[-1][0].startswith("-") and not word.startswith("-"):
            parts[-1].append(word)
        else:
            parts.append([word])
    return [shlex.join(part) for part in parts]
