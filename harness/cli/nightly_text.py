"""Sum up a night: one exit status, a table of its campaigns, and a document for machines; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.cli.exit_status import ExitStatus
from harness.nightly.campaigns import Campaign, Skipped
from harness.stats.anytime import anytime_interval
from harness.units import format_duration, format_rate

__all__ = ["campaign_rows", "night_document", "worst_of"]

# What decides first; a command that a signal ended, or that answered anything else, is an ERROR.
_ORDER = (
    ExitStatus.INTERRUPTED,
    ExitStatus.BAD_INPUT,
    ExitStatus.FAILED,
    ExitStatus.ERROR,
    ExitStatus.INCONCLUSIVE,
    ExitStatus.PASSED,
)


def worst_of(statuses: Iterable[int]) -> ExitStatus:
    """Return the exit status of a night from those of its commands; NOTHING_RAN if there are none, or only such.

    A scenario that cannot run here beside one that passed changes nothing, as in one run.
    """
    known = set(ExitStatus)
    seen = {ExitStatus(status) if status in known else ExitStatus.ERROR for status in statuses}
    return next((status for status in _ORDER if status in seen), ExitStatus.NOTHING_RAN)


def campaign_rows(campaigns: Sequence[Campaign], skipped: Sequence[Skipped]) -> list[tuple[str, ...]]:
    """Return a table, its heading first: the widest interval first, then what could not be measured."""
    rows = [("campaign", "carried", "tonight", "time", "failed", "rate, with its interval", "")]
    for campaign in sorted(campaigns, key=lambda campaign: -campaign.arm.width):
        arm = campaign.arm
        low, high = anytime_interval(arm.bad, arm.told, arm.confidence)
        rate = f"{format_rate(arm.bad / arm.told)} ({format_rate(low)} to {format_rate(high)})" if arm.told else "?"
        counts = (str(campaign.carried), str(campaign.made), format_duration(campaign.spent_s))
        rows.append((arm.name, *counts, f"{arm.bad} of {arm.told}", rate, campaign.ended))
    return [*rows, *((skip.scenario, "", "", "", "", "", f"not measured: {skip.reason}") for skip in skipped)]


def night_document(
    campaigns: Sequence[Campaign], skipped: Sequence[Skipped], runs: Sequence[str], unspent_s: float
) -> dict[str, object]:
    """Return what ``night.json`` holds; rates are fractions of 1, ``interval`` holds while one watches."""
    return {
        "runs": list(runs),
        "unspent_s": round(unspent_s, 1),
        "campaigns": [
            {
                "scenario": campaign.arm.name,
                "run": None if campaign.run is None else str(campaign.run.folder),
                "carried": campaign.carried,
                "made": campaign.made,
                "spent_s": round(campaign.spent_s, 3),
                "bad": campaign.arm.bad,
                "told": campaign.arm.told,
                "interval": anytime_interval(campaign.arm.bad, campaign.arm.told, campaign.arm.confidence),
                "exit_status": campaign.status,
                "ended": campaign.ended,
            }
            for campaign in campaigns
        ],
        "skipped": {skip.scenario: skip.reason for skip in skipped},
    }
