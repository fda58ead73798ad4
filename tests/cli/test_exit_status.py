"""Exit statuses that scripts rely on."""

import pytest

from harness.checks.base import Status
from harness.cli.exit_status import ExitStatus, for_bisect
from harness.cli.summary import exit_status

PASS, FAIL, ERROR = Status.PASS, Status.FAIL, Status.ERROR
INCONCLUSIVE, UNSUPPORTED = Status.INCONCLUSIVE, Status.UNSUPPORTED


@pytest.mark.parametrize(
    ("statuses", "code"),
    [
        ([], 5),
        ([UNSUPPORTED], 5),
        ([PASS], 0),
        ([PASS, UNSUPPORTED], 0),
        ([PASS, INCONCLUSIVE], 3),
        ([INCONCLUSIVE, UNSUPPORTED], 3),
        ([PASS, ERROR], 4),
        ([INCONCLUSIVE, ERROR], 4),
        ([PASS, FAIL], 1),
        ([FAIL, ERROR, INCONCLUSIVE, UNSUPPORTED, PASS], 1),
    ],
)
def test_the_worst_that_is_known_decides(statuses: list[Status], code: int) -> None:
    assert exit_status(statuses) == code


@pytest.mark.parametrize("code", list(ExitStatus))
def test_only_a_pass_and_a_fail_say_something_about_a_commit(code: ExitStatus) -> None:
    # What is wrong for every commit, and Ctrl-C, end the bisection: git-bisect(1) does so from 128 on.
    special = {ExitStatus.PASSED: 0, ExitStatus.FAILED: 1, ExitStatus.BAD_INPUT: 128, ExitStatus.INTERRUPTED: 130}
    assert for_bisect(code) == special.get(code, 125)
