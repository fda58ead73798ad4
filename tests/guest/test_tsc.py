"""The measured frequency is one, and the same one twice."""

import platform

import pytest

from harness.guest.tsc import measure_tsc_khz


@pytest.mark.skipif(platform.machine() != "x86_64", reason="only x86 has a TSC")
def test_two_measurements_agree() -> None:
    first, second = measure_tsc_khz(), measure_tsc_khz()
    assert first is not None
    assert second is not None
    assert 100_000 < first < 10_000_000
    assert abs(first - second) < first / 200


def test_other_architectures_have_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.guest.tsc.platform.machine", lambda: "aarch64")
    assert measure_tsc_khz() is None


def test_a_policy_against_code_made_at_run_time_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr("harness.guest.tsc.mmap.mmap", refuse)
    assert measure_tsc_khz() is None
