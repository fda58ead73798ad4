from __future__ import annotations

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.errors import InputError
from harness.regress.difference import apply_differences, differences


def test_lists_of_flags_are_taken_apart_and_others_are_not() -> None:
    good = {"machine.cpu": "max,-cx16,-avx", "machine.type": "q35", "machine.memory": "512M"}
    bad = {"machine.cpu": "max,+foo", "machine.type": "pc", "machine.memory": "512M"}
    found = differences(good, bad)
    assert [one.label for one in found] == [
        "machine.cpu: without -cx16",
        "machine.cpu: without -avx",
        "machine.cpu: with +foo",
        "machine.type: q35 → pc",
    ]
    assert apply_differences(good, found) == bad
    assert apply_differences(good, ()) == good
    assert apply_differences(good, found[1:3])["machine.cpu"] == "max,-cx16,+foo"


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ({"a": "1"}, {}, "one side only"),
        ({"a": "1"}, {"a": "1"}, "do not differ"),
        ({"machine.options": "[-a"}, {"machine.options": "[-b]"}, r"machine.options=\[-a: this is no list; write"),
        ({"machine.options": "[]"}, {"machine.options": "[{a: b}]"}, "this is no list"),
    ],
)
def test_settings_that_cannot_be_compared(good: dict[str, str], bad: dict[str, str], said: str) -> None:
    with pytest.raises(InputError, match=said):
        differences(good, bad)


def test_options_of_qemu_are_taken_apart_each_with_its_arguments() -> None:
    good = {"machine.options": "[-m, 512, -S]", "machine.devices": "[]"}
    bad = {
        "machine.options": "[-d, int, -S, '-name', 'a b', -x, off]",
        "machine.devices": '["edu,addr=3", virtio-rng-pci]',
    }
    found = differences(good, bad)
    assert [one.label for one in found] == [
        "machine.options: without -m 512",
        "machine.options: with -d int",
        "machine.options: with -name 'a b'",
        "machine.options: with -x off",
        "machine.devices: with edu,addr=3",
        "machine.devices: with virtio-rng-pci",
    ]
    assert apply_differences(good, found) == {
        "machine.options": '["-d", "int", "-S", "-name", "a b", "-x", "off"]',
        "machine.devices": '["edu,addr=3", "virtio-rng-pci"]',
    }
    assert apply_differences(good, found[1:2])["machine.options"] == '["-m", "512", "-d", "int", "-S"]'
    assert apply_differences(good, found[:1])["machine.options"] == '["-S"]'


def test_words_of_a_kernel_command_line_are_taken_apart() -> None:
    good, bad = {"guest.append": "quiet nokaslr"}, {"guest.append": "nokaslr tsx=on,a maxcpus=1"}
    found = differences(good, bad)
    assert [one.label for one in found] == [
        "guest.append: without quiet",
        "guest.append: with tsx=on,a",
        "guest.append: with maxcpus=1",
    ]
    assert apply_differences(good, found) == bad
    (one,) = differences({"guest.append": ""}, {"guest.append": "nokaslr"})
    assert apply_differences({"guest.append": ""}, [one]) == {"guest.append": "nokaslr"}


@pytest.mark.parametrize(("good", "bad"), [("[-S]", "x"), ("x", "[]"), ("max", "[]"), ("", "a")])
def test_a_list_and_a_text_differ_as_they_are(good: str, bad: str) -> None:
    (one,) = differences({"machine.options": good}, {"machine.options": bad})
    assert one.at is None
    assert apply_differences({"machine.options": good}, [one]) == {"machine.options": bad}


@pytest.mark.parametrize(
    ("key", "good", "bad", "count"),
    [
        ("guest.append", "console=tty0 console=ttyS0", "console=ttyS0 console=tty0", 2),
        ("guest.append", "quiet -- 3", "nokaslr quiet -- 3", 1),
        ("guest.append", "x", 'x dyndbg="file a +p" y', 2),
        ("guest.append", "a a b", "a b a a", 3),
        ("machine.options", "[-device, edu]", "[-device, edu, -device, edu]", 1),
        ("machine.devices", ' ["a,b=1", c]', '[c, d, "a,b=1"]', 3),
        ("machine.cpu", "max,-a,-b,+c", "max,-b,-a", 1),
        ("machine.cpu", "max", "max,-a,-a", 1),
    ],
)
def test_all_differences_together_make_the_bad_list_with_its_order(key: str, good: str, bad: str, count: int) -> None:
    found = differences({key: good}, {key: bad})
    assert len(found) == count
    (made,) = apply_differences({key: good}, found).values()
    as_it_was = {"machine.cpu": {"max,-a,-b", "max,-a"}, "guest.append": {bad}}
    assert made in as_it_was.get(key, set()) or yaml.safe_load(made) == yaml.safe_load(bad)


@given(st.lists(st.sampled_from("abcd"), max_size=7), st.lists(st.sampled_from("abcd"), max_size=7), st.data())
def test_any_part_of_the_differences_can_be_applied(ours: list[str], theirs: list[str], data: st.DataObject) -> None:
    good, bad = {"guest.append": " ".join(ours)}, {"guest.append": " ".join(theirs)}
    assume(good != bad)
    found = differences(good, bad)
    assert apply_differences(good, found) == bad
    assert apply_differences(good, ()) == good
    some = [one for one in found if data.draw(st.booleans())]
    made = apply_differences(good, some)["guest.append"].split()
    kept = len(made) - sum(1 for one in some if one.bad)
    assert kept == len(ours) - sum(1 for one in some if one.good)
