from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.spec import GitSource, ListSource, SettingSource, Spec, read_spec, with_spec
from harness.results.store import create_run

SOURCES = {
    "git": GitSource("/repo", "a", "b", "make", "out", "IMAGE", 7200.0),
    "lists": (ListSource("guest.kernel", ("a", "b")), ListSource("machine.qemu", ("c", "d"))),
    "setting": SettingSource({"machine.cpu": "max,-cx16"}, {"machine.cpu": "max"}),
}


@pytest.mark.parametrize("kind", sorted(SOURCES))
def test_what_is_asked_is_read_back(tmp_path: Path, kind: str) -> None:
    fixed = {"vcpus": "2"}
    spec = Spec("s.yaml", fixed, ("x",), None, ("hang",), 0.95, 0.01, None, True, **{kind: SOURCES[kind]})  # type: ignore[arg-type]
    assert read_spec(create_run(tmp_path, with_spec({"started_utc": "now"}, spec))) == spec


def test_another_run_is_refused(tmp_path: Path) -> None:
    spec = Spec("s.yaml", {}, (), None, (), 0.95, 0.01, None, True)
    with pytest.raises(InputError, match="nothing to search; another version of the harness wrote it"):
        read_spec(create_run(tmp_path, with_spec({}, spec)))
    with pytest.raises(InputError, match="is no bisection"):
        read_spec(create_run(tmp_path, {}))
