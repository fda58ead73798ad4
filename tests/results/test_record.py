from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from harness.evidence.records import Loss
from harness.results.record import boot_line_json, boot_record_json

from .sample_record import RECORD, line


@pytest.mark.parametrize(
    "record",
    [RECORD, replace(RECORD, qemu_end=None, ready_s=None, gave_up_s=57.0, losses=(Loss("qmp", "x"),), marks=())],
)
def test_a_record_comes_back_as_it_was(record: object) -> None:
    data = boot_record_json.dump_json(record, indent=1)  # type: ignore[arg-type]
    assert boot_record_json.validate_json(data) == record


@pytest.mark.parametrize("value", [line(), replace(line(), folder=None, outcome=None, verdicts=())])
def test_a_line_is_one_line_and_comes_back_as_it_was(value: object) -> None:
    data = boot_line_json.dump_json(value)  # type: ignore[arg-type]
    assert b"\n" not in data
    assert boot_line_json.validate_json(data) == value


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"status":"PASS"', b'"status":"pass"'),
        (b'"kind":"ready"', b'"kind":"great"'),
        (b'"duration_s":9.5', b'"duration_s":"long"'),
        (b'"scenario":"boot",', b""),
    ],
)
def test_what_no_harness_wrote_is_refused(old: bytes, new: bytes) -> None:
    data = boot_line_json.dump_json(line())
    assert data.count(old) >= 1
    with pytest.raises(ValidationError):
        boot_line_json.validate_json(data.replace(old, new))
