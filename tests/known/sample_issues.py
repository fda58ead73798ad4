"""Known issues that are well-formed."""

from __future__ import annotations

from typing import Any

from harness.known.entries import KnownIssue

__all__ = ["issue"]


def issue(**fields: Any) -> KnownIssue:
    """Make an entry about ``guest-panic: x``, accepted up to 50%."""
    given: dict[str, Any] = {
        "id": "panic-x",
        "signature": "guest-panic: x",
        "max_rate": 0.5,
        "expires": "2027-01-31",
        "link": "https://example.org/1",
        "note": "It panics now and then.",
    }
    return KnownIssue(**{**given, **fields})
