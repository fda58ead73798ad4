"""Hold what every model of a scenario file shares."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

__all__ = ["Keyed", "Model"]


class Model(BaseModel):
    """Be the root of everything that is read from a scenario: frozen, no unknown key, no silent conversion.

    ``strict`` because YAML has decided the type already: a number where text belongs is a mistake worth a line.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )


class Keyed(Model):
    """Be one entry of a list whose entries are mappings of one key: ``- key: {…}``.

    The first line of a subclass's docstring is what an editor shows for the key.
    """

    #: The key as written in the file.
    key: ClassVar[str]
    #: The field that a value which is no mapping stands for (``- guest: uname -a``); None: only a mapping will do.
    scalar_field: ClassVar[str | None] = None
