from __future__ import annotations

import pytest

from harness.boot.hang_images import COUNT, HALT, HELLO, SLEEP, SPIN, payload_image, rom_image
from harness.boot.symbols import parse_elf
from harness.evidence.startup import MILESTONES


def test_a_rom_begins_where_a_cpu_does() -> None:
    rom = rom_image(SPIN)
    assert len(rom) == 64 << 10
    assert rom[-16:].startswith(SPIN)


@pytest.mark.parametrize("code", [SPIN, HALT, SLEEP, COUNT])
def test_a_payload_is_what_qemu_loads(code: bytes) -> None:
    image = payload_image(code)
    assert image[:7] == b"\x7fELF\x01\x01\x01"
    # Multiboot specification 0.6.96, 3.1.1: in the first 8192 bytes, aligned to 4, and its three words add up to 0.
    at = image.index((0x1BADB002).to_bytes(4, "little"))
    words = [int.from_bytes(image[at + n : at + n + 4], "little") for n in (0, 4, 8)]
    assert at % 4 == 0 and sum(words) % (1 << 32) == 0
    assert image.endswith(code + HELLO)
    assert parse_elf(image) is None  # it has no symbols


def test_what_it_says_is_a_milestone() -> None:
    assert [milestone.name for milestone in MILESTONES if milestone.pattern.search(HELLO)] == ["guest"]
