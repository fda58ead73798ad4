from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.scenario.scalars import Surprise, guess, read_unquoted


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("true", True), ("False", False),
        ("0", 0), ("-7", -7), ("+7", 7), ("0x1F", 31), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("0.5", 0.5),
        ("512M", "512M"), ("max,-cx16", "max,-cx16"), ("8.2.1", "8.2.1"), ("y", "y"), ("-", "-"), ("a:1", "a:1"),
        ("yEs", "yEs"), ("1e", "1e"), ("00:1f.0", "00:1f.0"),
    ],
)  # fmt: skip
def test_values_that_nobody_misreads(text: str, value: object) -> None:
    assert read_unquoted(text) == value
    assert type(read_unquoted(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "what", "meant"),
    [
        ("010", '010 is 8 to YAML 1.1 and 10 to YAML 1.2; write 10, or "010" for text', 10),
        ("0755", '0755 is 493 to YAML 1.1 and 755 to YAML 1.2; write 755, or "0755" for text', 755),
        ("089", '089 is text to YAML 1.1 and 89 to YAML 1.2; write 89, or "089" for text', 89),
        ("off", 'off is false to YAML 1.1; write false, or "off" for text', False),
        ("Yes", 'Yes is true to YAML 1.1; write true, or "Yes" for text', True),
        ("ON", 'ON is true to YAML 1.1; write true, or "ON" for text', True),
        ("1e3", '1e3 is text or a number, depending on YAML\'s version; write the number out, '
                'or "1e3" for text', "1e3"),
        ("1.5e+3", '1.5e+3 is text or a number, depending on YAML\'s version; write the number out, '
                   'or "1.5e+3" for text', "1.5e+3"),
        ("1:30", '1:30 is a number in base 60 to YAML 1.1; write 90s for a duration, or "1:30" for text', "1:30"),
        ("1_000", '1_000 is a number to YAML 1.1 and text to YAML 1.2; leave the underscores out, '
                  'or write "1_000" for text', "1_000"),
        ("0b11", '0b11 is a number or text, depending on YAML\'s version; write it in decimal, or "0b11" for text',
         "0b11"),
        ("0o17", '0o17 is a number or text, depending on YAML\'s version; write it in decimal, or "0o17" for text',
         "0o17"),
        (".inf", '.inf is no number that can be used; write ".inf" for text', ".inf"),
        ("2026-11-22", '2026-11-22 is a date to YAML 1.1; write "2026-11-22" for text', "2026-11-22"),
        ("1" * 19, f'{"1" * 19} has too many digits for a number; write "{"1" * 19}" for text', "1" * 19),
    ],
)  # fmt: skip
def test_surprises(text: str, what: str, meant: object) -> None:
    with pytest.raises(Surprise) as caught:
        read_unquoted(text)
    assert str(caught.value) == what
    assert caught.value.meant == meant
    assert guess(text) == text


@given(st.from_regex(r"\A[-+.0-9a-fxoeEn_:TZ ]{1,12}\Z") | st.text(max_size=8))
def test_what_is_accepted_is_what_yaml_1_1_makes_of_it(text: str) -> None:
    try:
        value = read_unquoted(text)
    except Surprise:
        return
    resolver = yaml.SafeLoader("")
    tag = resolver.resolve(yaml.ScalarNode, text, (True, False))
    kinds = {bool: "bool", int: "int", float: "float", type(None): "null", str: "str"}
    assert tag.rpartition(":")[2] in (kinds[type(value)], "merge", "value", "yaml")


@pytest.mark.parametrize(
    ("text", "value"), [("2", 2), ("true", True), ("off", "off"), ("010", "010"), ("", ""), ("  ", "  "), ("a", "a")]
)
def test_text_from_outside_is_typed_only_when_nobody_misreads_it(text: str, value: object) -> None:
    assert guess(text) == value
