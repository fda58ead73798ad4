from __future__ import annotations

import pytest

from harness.errors import InputError
from harness.regress.kconfig import (
    changed_back,
    config_identity,
    parse_config,
    render_config,
)

GOOD = """#
# Automatically generated file; DO NOT EDIT.
# Linux/x86 6.12.0 Kernel Configuration
#
CONFIG_SMP=y
CONFIG_NR_CPUS=64
# CONFIG_KVM is not set
CONFIG_LOCALVERSION="-a=b # c"
CONFIG_VIRTIO=m
CONFIG_OLD=y
"""


def test_a_configuration_is_read_and_written_again() -> None:
    values = parse_config(GOOD, "good")
    assert values == {
        "CONFIG_SMP": "y",
        "CONFIG_NR_CPUS": "64",
        "CONFIG_KVM": "n",
        "CONFIG_LOCALVERSION": '"-a=b # c"',
        "CONFIG_VIRTIO": "m",
        "CONFIG_OLD": "y",
    }
    assert parse_config(render_config(values), "again") == values
    assert parse_config(GOOD.replace("\n", "\r\n"), "of another system") == values


def test_the_last_value_counts() -> None:
    assert parse_config("CONFIG_A=y\n# CONFIG_A is not set\nCONFIG_B=n\n", "x") == {"CONFIG_A": "n", "CONFIG_B": "n"}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("CONFIG_A=y\nCONFIG_B y\n", "x.config:2: 'CONFIG_B y'"),
        ("CONFIG_A=", "x.config:1: 'CONFIG_A='"),
        ("A=y", ":1:"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(text: str, where: str) -> None:
    with pytest.raises(InputError, match=where) as refused:
        parse_config(text, "x.config")
    assert "no line of a kernel configuration" in str(refused.value)


def test_no_and_absent_are_the_same_to_code() -> None:
    base = {"CONFIG_A": "y", "CONFIG_S": '""'}
    same = config_identity(base)
    assert config_identity({"CONFIG_S": '""', "CONFIG_A": "y", "CONFIG_B": "n"}) == same
    assert config_identity({**base, "CONFIG_B": "m"}) != same
    assert config_identity({"CONFIG_A": "y"}) != same


def test_what_a_build_did_not_take_is_named_with_what_it_has() -> None:
    asked = {"CONFIG_A": "y", "CONFIG_B": "m", "CONFIG_C": "n", "CONFIG_D": "absent"}
    used = {"CONFIG_A": "n", "CONFIG_B": "m", "CONFIG_E": "y"}
    assert changed_back(asked, used, asked) == {"CONFIG_A": "n"}
    assert changed_back({"CONFIG_C": "n"}, {"CONFIG_C": "y"}, ["CONFIG_C"]) == {"CONFIG_C": "y"}
