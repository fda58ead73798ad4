from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sample_results import ABOUT, boot_line, make_run

from harness.checks.base import Status
from harness.cli.prune import prune
from harness.cli.show import replay
from harness.clock import utc_now
from harness.errors import InputError


def _old_run(results: Path) -> Path:
    started = (utc_now() - timedelta(days=60)).isoformat()
    run = make_run(results, [boot_line(), boot_line(Status.FAIL)], {**ABOUT, "started_utc": started})
    make_run(results, [boot_line()], {**ABOUT, "started_utc": utc_now().isoformat()})
    return run.folder


def test_nothing_is_deleted_until_it_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _old_run(tmp_path)
    prune(results=tmp_path, days=30)
    said = capsys.readouterr().out
    assert "kept, the first of its kind of failure: 1" in said
    assert "1 boots (0.0 MiB) go, 2 (0.0 MiB) stay" in said
    assert said.endswith("nothing was deleted; --yes does it\n")
    assert (run / "boots" / "0001").exists()
    prune(results=tmp_path, days=30, yes=True)
    assert "freed" in capsys.readouterr().out
    assert not (run / "boots" / "0001").exists()
    assert (run / "boots" / "0002" / "console.log").exists()


def test_replay_passes_over_what_was_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = _old_run(tmp_path)
    prune(results=tmp_path, days=30, yes=True)
    (run / "boots" / "0002" / "boot.json").rename(tmp_path / "kept.json")
    for path in (run / "boots" / "0002").iterdir():
        path.unlink()
    (run / "boots" / "0002").rmdir()
    capsys.readouterr()
    replay(str(run))
    assert capsys.readouterr().out == "0 boots judged again, 0 different; the logs of 2 were deleted by prune\n"


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--days 30"):
        prune(results=tmp_path)
    with pytest.raises(InputError, match="no folder"):
        prune(results=tmp_path / "none", days=1)
    with pytest.raises(InputError, match="--size"):
        prune(results=tmp_path, size="20")
