from __future__ import annotations

import pytest

from .sample import HEAD, problems, setting


@pytest.mark.parametrize(
    ("steps", "names"),
    [
        ("[{guest: a}]", ["guest"]),
        ("[{guest: a}, {guest: b}, {wait: {event: X}}]", ["guest-1", "guest-2", "wait"]),
        ("[{guest: a}, {guest: {run: b, name: mine}}]", ["guest-1", "mine"]),
        ("[{guest: a}, {guest: {run: b, name: guest-1}}]", ["guest-1-again", "guest-1"]),
        ("[{qmp: stop}, {wait: {event: X, name: qmp}}]", ["qmp-again", "qmp"]),
    ],
)
def test_every_step_has_a_name(steps: str, names: list[str]) -> None:
    assert [step.name for step in setting(f"steps: {steps}").steps] == names


def test_a_check_may_refer_to_any_name() -> None:
    steps = "steps: [{guest: a}, {guest: b}, {qmp: {execute: stop, name: mine}}]\n"
    for name in ("guest-1", "guest-2", "mine"):
        assert setting(f"{steps}expect: [{{counted: {{during: {name}}}}}]").expect[0].steps_named() == (name,)


def test_a_reference_is_not_blamed_when_the_steps_are_wrong() -> None:
    assert problems(HEAD + "steps: [{guest: {}}]\nexpect: [{counted: {during: nope}}]") == [
        "s.yaml:3:17: steps[1].guest needs the key 'run': Command for the guest's shell. "
        "Write $${NAME} for a shell variable."
    ]


@pytest.mark.parametrize(
    ("text", "guest", "payload"),
    [
        ("", True, False),
        ("guest: null", True, False),
        ("payload: x", False, True),
        ("payload: x\nguest: null", False, True),
        ("guest: {append: a}\nplatforms: {kvm: {guest: null, payload: x}}", False, True),
        ("payload: x\nplatforms: {kvm: {payload: null}}", True, False),
    ],
)
def test_linux_or_a_payload(text: str, guest: bool, payload: bool) -> None:
    made = setting(text)
    assert (made.guest is not None, made.payload is not None) == (guest, payload)
