"""Keep the two configurations of a bisection beside its journal, so that it goes on with what it began with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.errors import HostError, InputError
from harness.regress.config_span import config_differences
from harness.regress.kconfig import parse_config
from harness.results.files import write_whole

__all__ = ["ConfigFiles", "load_configs", "read_configs"]

_GOOD, _BAD = "good.config", "bad.config"


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """Be the text of both configurations, which differ and can be read."""

    good: str
    bad: str

    def keep(self, folder: Path) -> None:
        """Write both into the folder of the run.

        :raise HostError: if they cannot be written.
        """
        for name, text in ((_GOOD, self.good), (_BAD, self.bad)):
            write_whole(folder / name, text.encode())


def load_configs(good: Path, bad: Path) -> ConfigFiles:
    """Read both.

    :raise InputError: if one is no file, has a line that no configuration has, or nothing differs.
    """
    texts = [_text(option, path) for option, path in (("--good-config", good), ("--bad-config", bad))]
    config_differences(*(parse_config(text, str(path)) for text, path in zip(texts, (good, bad), strict=True)))
    return ConfigFiles(*texts)


def read_configs(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the values of both, good first, from the folder of a run.

    :raise HostError: if they cannot be read.
    """
    paths = (folder / _GOOD, folder / _BAD)
    try:
        good, bad = (parse_config(path.read_text(), str(path)) for path in paths)
    except OSError as error:
        raise HostError(f"{folder}: the configurations of this bisection cannot be read: {error.strerror}") from error
    return good, bad


def _text(option: str, path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise InputError(f"{option} {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{option} {path}: this is no text; name the .config of a kernel") from error
