from __future__ import annotations

import pytest

from harness.classify.last_words import last_words


@pytest.mark.parametrize(
    ("console", "said"),
    [
        (b"", None),
        (b"all is well\n", None),
        (b"x\nfatal: no disk\n", "fatal: no disk"),
        (b"[    1.0] fatal: no disk\r\n\r\n\r\n", "fatal: no disk"),
        (b"fatal: one\nUnhandled thing two\nbye\n", "Unhandled thing two"),
        # Eight lines are the last words; what was before did not end it.
        (b"fatal: old\n" + b"going on\n" * 8, None),
        (b"assertion " + b"x" * 4000, None),
        (b"no defaults, no aborting-ness\n" * 2, "no defaults, no aborting-ness"),
        (b"the fatality rate\n", None),
    ],
)
def test_the_last_lines_that_tell_of_a_failure(console: bytes, said: str | None) -> None:
    words = last_words(console)
    assert (words and words[0]) == said


def test_the_signature_is_the_same_in_every_boot() -> None:
    first, second = last_words(b"fatal: 0x1f0 on CPU 3"), last_words(b"[ 9.1] fatal: 0x170 on CPU 1\n")
    assert first is not None
    assert second is not None
    assert first[1] == second[1] == "fatal: ADDR on CPU N"
