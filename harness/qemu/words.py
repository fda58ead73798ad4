"""Write values as QEMU's option lists take them."""

from __future__ import annotations

__all__ = ["escape", "size"]


def escape(value: object) -> str:
    """Return ``value`` as one value of an option list, in which a comma is doubled (QEMU util/qemu-option.c)."""
    return str(value).replace(",", ",,")


def size(count_bytes: int) -> str:
    """Return a size with its unit: in MiB where it is a whole number of them."""
    return f"{count_bytes}B" if count_bytes % (1 << 20) else f"{count_bytes >> 20}M"
