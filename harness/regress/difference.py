"""Take the differences between two settings apart, and put some of them into the good one.

A value that is a list differs in its parts: CPU flags (``max,-cx16``), QEMU's options and devices (``[-d, int]``, as
YAML has it; an option with its arguments is one part), and the words of a kernel's command line (``guest.append``).
All differences together make exactly the bad list, in its order; only that of CPU flags does not matter.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

import yaml

from harness.errors import InputError

__all__ = ["Difference", "apply_differences", "differences"]

_WORDS = frozenset({"append", "guest.append"})
# Spaces inside double quotes do not end a word (Linux lib/cmdline.c, next_arg).
_WORD = re.compile(r'(?:[^\s"]|"[^"]*"?)+')


@dataclass(frozen=True, slots=True)
class Difference:
    """Be one thing that differs between two settings: in ``key``, what is ``good`` becomes ``bad``.

    ``at`` None: the values themselves differ. Else they are lists, and ``good`` is a part that is taken out of the good
    one, or ``bad`` one that is put into it (the other is empty): ``at`` is the place in the good list, and the order
    among those that are put there. ``names`` say of built files what they were built of; None: the values speak for
    themselves.
    """

    key: str
    good: str
    bad: str
    at: tuple[int, int] | None = None
    names: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Render for people."""
        if self.at is None:
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
        if good[key] == bad[key]:
            continue
        ours, theirs = _parts(key, good[key]), _parts(key, bad[key])
        commas = key not in _WORDS and not _is_list(good[key])
        begin_alike = not commas or (ours[:1] == theirs[:1] and max(len(ours), len(theirs)) > 1)
        if not begin_alike or _is_list(good[key]) != _is_list(bad[key]):
            found.append(Difference(key, good[key], bad[key]))
            continue
        if commas:
            # Each flag counts once, wherever it stands.
            theirs = [*(part for part in ours if part in theirs), *(part for part in theirs if part not in ours)]
            theirs = list(dict.fromkeys(theirs))
        found += _aligned(key, ours, theirs)
    if not found:
        raise InputError(
            "the two settings do not differ; give what is good with --good-set, what is bad with --bad-set"
        )
    return tuple(found)


def apply_differences(good: Mapping[str, str], applied: Sequence[Difference]) -> dict[str, str]:
    """Return the good setting with ``applied`` made bad."""
    values = dict(good)
    for key in {difference.key for difference in applied}:
        whole = [difference.bad for difference in applied if difference.key == key and difference.at is None]
        values[key] = whole[-1] if whole else _spliced(key, good[key], [one for one in applied if one.key == key])
    return values


def _aligned(key: str, ours: Sequence[str], theirs: Sequence[str]) -> list[Difference]:
    found: list[Difference] = []
    for kind, first, last, begin, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        if kind != "equal":
            found += [Difference(key, ours[at], "", (at, 0)) for at in range(first, last)]
            found += [Difference(key, "", theirs[at], (last, at)) for at in range(begin, end)]
    return found


def _spliced(key: str, value: str, applied: Sequence[Difference]) -> str:
    gone = {one.at[0] for one in applied if one.at is not None and one.good}
    put = sorted((one.at, one.bad) for one in applied if one.at is not None and one.bad)
    ours = _parts(key, value)
    parts: list[str] = []
    for at in range(len(ours) + 1):
        parts += [part for (place, _), part in put if place == at]
        parts += [ours[at]] if at < len(ours) and at not in gone else []
    if _is_list(value):
        return json.dumps([word for part in parts for word in shlex.split(part)])
    return (" " if key in _WORDS else ",").join(parts)


def _is_list(value: str) -> bool:
    return value.lstrip().startswith("[")


def _parts(key: str, value: str) -> list[str]:
    if not _is_list(value):
        return _WORD.findall(value) if key in _WORDS else value.split(",")
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
