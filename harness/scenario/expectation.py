"""Define what all checks' expectations share; the checks themselves live in :mod:`harness.checks`."""

from __future__ import annotations

from harness.scenario.base import Keyed

__all__ = ["Expectation"]


class Expectation(Keyed):
    """Be the root of what a scenario expects: one entry of ``expect``, ``- key: {…}``.

    A subclass sets ``key``, and ``scalar_field`` if ``- key: value`` shall stand for ``- key: {scalar_field: value}``.
    """

    def steps_named(self) -> tuple[str, ...]:
        """Return the names of the steps that this refers to, so that loading can refuse one that does not exist."""
        return ()
