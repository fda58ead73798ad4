import pytest

from harness.nightly.budget import Arm, Round, next_round


def arm(name: str, bad: int = 0, told: int = 100, boot_s: float | None = 1.0, variants: int = 1) -> Arm:
    return Arm(name, bad, told, 0.95, variants, boot_s)


@pytest.mark.parametrize(
    ("arms", "remaining_s", "expected"),
    [
        ([], 100, None),
        ([arm("a"), arm("b", boot_s=None)], 0, None),
        # Of each new build, something is known, whatever the time is.
        ([arm("a", told=0, boot_s=None)], 0, Round("a", 4)),
        ([arm("a", told=1000), arm("b", told=10)], 100, Round("b", 10)),
        # As many boots, and half of them failed: less is known of that rate.
        ([arm("a"), arm("b", bad=50)], 100, Round("b", 10)),
        # The widest does not fit any more; the next one does.
        ([arm("a", told=1000), arm("b", told=10, boot_s=60)], 30, Round("a", 10)),
        ([arm("a", boot_s=60)], 30, None),
        # Whole turns where there is room, a part of one where there is not.
        ([arm("a", variants=4)], 100, Round("a", 8)),
        ([arm("a", variants=12)], 100, Round("a", 12)),
        ([arm("a", variants=12)], 7, Round("a", 7)),
        # Never timed: a few, in whole turns.
        ([arm("a", told=0, boot_s=None)], 100, Round("a", 4)),
        ([arm("a", told=0, boot_s=None, variants=3)], 100, Round("a", 6)),
        # Equally wide: by name, so that a night can be made again.
        ([arm("b"), arm("a")], 100, Round("a", 10)),
    ],
)
def test_the_next_boots_go_where_least_is_known(arms: list[Arm], remaining_s: float, expected: Round | None) -> None:
    assert next_round(arms, remaining_s, round_s=10) == expected


def test_a_night_ends_with_intervals_that_are_about_as_wide() -> None:
    arms = {"sound": arm("sound", told=0), "shaky": arm("shaky", bad=20, told=40), "known": arm("known", told=500)}
    left_s = 1000.0
    while (following := next_round(list(arms.values()), left_s, 10)) is not None:
        was = arms[following.name]
        bad = was.bad + (following.boots // 2 if was.name == "shaky" else 0)
        arms[following.name] = Arm(was.name, bad, was.told + following.boots, 0.95, 1, 1.0)
        left_s -= following.boots
    assert arms["known"].told == 500
    assert arms["shaky"].told > 4 * arms["sound"].told
    assert arms["shaky"].width == pytest.approx(arms["sound"].width, rel=0.2)
    assert left_s == 0
