from pathlib import Path

import pytest

from harness.cli.exit_status import ExitStatus
from harness.cli.nightly_text import campaign_rows, night_document, worst_of
from harness.nightly.budget import Arm
from harness.nightly.campaigns import Campaign, Skipped
from harness.results.store import Run


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], 5),
        ([5], 5),
        ([0, 5], 0),
        ([0, 3, 5], 3),
        ([3, 4], 4),
        ([4, 1, 3], 1),
        ([1, 2], 2),
        ([0, -9], 4),
        ([0, 77], 4),
        ([1, 130], 130),
    ],
)
def test_the_worst_decides(statuses: list[int], expected: int) -> None:
    assert worst_of(statuses) is ExitStatus(expected)


def test_what_is_known_least_comes_first() -> None:
    sure = Campaign(Arm("sure", 0, 500, 0.95, 1), "a.yaml", (), Run(Path("r/1")), 500, 400, 100, 61.0, 0)
    shaky = Campaign(Arm("shaky", 2, 4, 0.95, 1), "b.yaml", (), None, 4, 0, 4, 9.0, 3, "gave up")
    heading, *rows = campaign_rows([sure, shaky], [Skipped("never", "no such machine")])
    assert [row[0] for row in rows] == ["shaky", "sure", "never"]
    assert rows[1][:5] == ("sure", "400", "100", "1 m 01 s", "0 of 500")
    assert rows[0][-1] == "gave up" and rows[2][-1] == "not measured: no such machine"
    assert {len(row) for row in (heading, *rows)} == {7}
    document = night_document([sure], [], ["r/0"], 1.26)
    (kept,) = document["campaigns"]  # type: ignore[misc]
    assert (kept["run"], kept["carried"], kept["made"], document["unspent_s"]) == ("r/1", 400, 100, 1.3)
    assert kept["interval"][0] == 0 < kept["interval"][1] < 0.05
