"""Write the images of guests that hang in one simple way: some instructions each, so that no compiler is needed."""

from __future__ import annotations

import struct

__all__ = ["COUNT", "HALT", "HELLO", "SLEEP", "SPIN", "payload_image", "rom_image"]

#: Instructions that are the same in 16, 32 and 64 bits.
SPIN = bytes.fromhex("fa eb fe")  # cli; 1: jmp 1b
HALT = bytes.fromhex("fa f4 eb fd")  # cli; 1: hlt; jmp 1b
#: mov $0xff, %al; out %al, $0x21; out %al, $0xa1; sti; 1: hlt; jmp 1b. Both interrupt controllers hold all back.
SLEEP = bytes.fromhex("b0 ff e6 21 e6 a1 fb f4 eb fd")
#: A payload that works: it counts for a while (some 10 ms of a CPU) and prints the next of 16 letters, for ever.
COUNT = bytes.fromhex("bb 00 00 00 00 b9 40 4b 4c 00 49 75 fd 88 d8 24 0f 04 61 ee b0 0a ee 43 eb eb")

_LOAD = 0x100000
_ROM_BYTES = 0x10000
#: What the payload says, so that it is known to have started (harness.evidence.startup).
HELLO = b"svsm-harness: guest started\n"


def payload_image(code: bytes, hello: bytes = HELLO) -> bytes:
    """Return a 32-bit ELF with a multiboot header that says ``hello`` on COM1 and then runs ``code``."""
    header = struct.pack("<III", 0x1BADB002, 0, -0x1BADB002 & 0xFFFFFFFF)
    begin = 0x54 + len(header)  # behind the ELF header and one program header
    say = b"\xfa\xfc\x66\xba\xf8\x03"  # cli; cld; mov $0x3f8, %dx
    say += b"\xb9" + struct.pack("<I", len(hello))  # mov $length, %ecx
    at = _LOAD + begin + len(say) + 5 + 2 + len(code)
    say += b"\xbe" + struct.pack("<I", at) + b"\xf3\x6e"  # mov $hello, %esi; rep outsb
    body = header + say + code + hello
    size = 0x54 + len(body)
    identity = b"\x7fELF\x01\x01\x01" + bytes(9)
    elf = identity + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, _LOAD + begin, 0x34, 0, 0, 0x34, 0x20, 1, 0, 0, 0)
    program = struct.pack("<IIIIIIII", 1, 0, _LOAD, _LOAD, size, size, 7, 0x1000)
    return elf + program + body


def rom_image(code: bytes) -> bytes:
    """Return a firmware image whose first instruction, 16 bytes below 4 GiB, begins ``code``."""
    return (bytes(_ROM_BYTES - 16) + code).ljust(_ROM_BYTES, b"\0")
