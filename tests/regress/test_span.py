from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import InputError
from harness.regress.difference import differences
from harness.regress.span import CannotTest, list_span, setting_span


def test_a_list_of_files_is_told_apart_by_content(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text("same")
    span = list_span("guest.kernel", [f"{tmp_path}/a", f"{tmp_path}/b", f"{tmp_path}/none"])
    assert span.prepare(0).digest == span.prepare(1).digest
    assert span.prepare(1).values == {"guest.kernel": f"{tmp_path}/b"}
    with pytest.raises(CannotTest, match="no file"):
        span.prepare(2)
    there = list_span("machine.qemu", [f"{tmp_path}/a", f"{tmp_path}/none"], here=False)
    assert [there.prepare(at).values["machine.qemu"] for at in (0, 1)] == [f"{tmp_path}/a", f"{tmp_path}/none"]
    assert there.prepare(1).digest is None
    with pytest.raises(InputError, match="at least two"):
        list_span("x", ["a"])


def test_a_position_has_what_is_needed_and_the_first_of_the_rest() -> None:
    good, bad = {"a": "0", "b": "0", "c": "0"}, {"a": "1", "b": "1", "c": "1"}
    pool = differences(good, bad)
    span = setting_span(good, [pool[2]], pool[:2])
    assert [span.prepare(i).values for i in range(3)] == [
        {"a": "0", "b": "0", "c": "1"},
        {"a": "1", "b": "0", "c": "1"},
        {"a": "1", "b": "1", "c": "1"},
    ]


def test_only_positions_with_another_host_kernel_need_a_reboot(tmp_path: Path) -> None:
    assert list_span("guest.kernel", ["a", "b"]).hosts == ()
    assert list_span("host.kernel", ["a", "b"]).hosts == ("a", "b")
    good, bad = {"host.kernel": "a", "x": "0"}, {"host.kernel": "b", "x": "1"}
    kernel, other = differences(good, bad)
    assert setting_span(good, [], [other]).hosts == ()
    hosts = setting_span(good, [], [other, kernel]).hosts
    assert hosts[0] == hosts[1] != hosts[2]


def test_one_image_with_other_modules_is_another_kernel(tmp_path: Path) -> None:
    for name in ("k", "m1", "m2"):
        (tmp_path / name).write_text("")
    span = list_span("host.kernel", [f"{tmp_path}/k:{tmp_path}/m1", f"{tmp_path}/k:{tmp_path}/m2"])
    assert span.prepare(0).digest != span.prepare(1).digest
