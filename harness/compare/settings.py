"""Read the settings that are compared, as they are typed: ``machine.cpu=max,-cx16``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import InputError

__all__ = ["TypedSetting", "read_settings"]

_LABEL = re.compile(r"(?P<label>[A-Za-z0-9][A-Za-z0-9_.-]*):(?:\s+|$)(?P<rest>.*)", re.DOTALL)
_AS_IT_IS = "-"
_MOST = 26


@dataclass(frozen=True, slots=True)
class TypedSetting:
    """Be one setting: its label, and the keys that it sets, as ``--set`` takes them; none: the scenario as it is."""

    label: str
    values: Mapping[str, str]

    @property
    def what(self) -> str:
        """Say what it sets."""
        return "; ".join(f"{key}={value}" for key, value in self.values.items()) or "as it is"


def read_settings(typed: Sequence[str]) -> tuple[TypedSetting, ...]:
    """Read ``[LABEL: ]KEY=VALUE[; KEY=VALUE]…`` of each; ``-`` sets nothing. Labels default to A, B, C, ….

    :raise InputError: if one is something else, or there are not at least two that differ.
    """
    if len(typed) < 2:
        raise InputError("compare needs two settings, such as 'machine.cpu=max' 'machine.cpu=max,-cx16'")
    if len(typed) > _MOST:
        raise InputError(f"{len(typed)} settings are too many; compare at most {_MOST}")
    settings = tuple(_read(text, chr(ord("A") + at)) for at, text in enumerate(typed))
    for at, setting in enumerate(settings):
        for other in settings[:at]:
            if other.label == setting.label:
                raise InputError(f"two settings are called {setting.label}; give one of them another label")
            if other.values == setting.values:
                raise InputError(f"the settings {other.label} and {setting.label} are the same: {setting.what}")
    return settings


def _read(text: str, default: str) -> TypedSetting:
    labelled = _LABEL.fullmatch(text.strip())
    label, rest = (labelled["label"], labelled["rest"]) if labelled else (default, text.strip())
    values: dict[str, str] = {}
    parts = [] if rest.strip() in ("", _AS_IT_IS) else [part.strip() for part in rest.split(";")]
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise InputError(
                f"setting {text!r}: {part!r} is no KEY=VALUE; write 'machine.cpu=max', several with '; ' between them, "
                "and - for the scenario as it is"
            )
        if key.strip() in values:
            raise InputError(f"setting {text!r}: {key.strip()} is given twice")
        values[key.strip()] = value.strip()
    return TypedSetting(label, values)
