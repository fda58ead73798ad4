"""Every parameter has a reason, and the line is what the kernel gets."""

from harness.guest.parameters import KERNEL_PARAMETERS, kernel_parameters


def test_every_word_is_one_word_with_a_reason() -> None:
    for parameter in KERNEL_PARAMETERS:
        assert parameter.word.split() == [parameter.word]
        assert parameter.reason


def test_nothing_hides_an_unstable_start() -> None:
    words = kernel_parameters().split()
    assert words == [parameter.word for parameter in KERNEL_PARAMETERS]
    assert not {"no_timer_check", "tsc=reliable", "cryptomgr.notests", "quiet"} & set(words)


def test_the_kernel_ends_at_a_panic() -> None:
    assert "panic=-1" in kernel_parameters().split()
