"""Find what earlier nights know of the same build, so that boots are counted on and not made again.

The same build is: the same variants with the same settings, made of the same parts (digests of guest, firmware and
payload, version of QEMU), asked the same question, on the same machine with the same kernel, by the same version of the
harness. Everything of it is in ``run.json`` of the campaign.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from harness.errors import HarnessError
from harness.results.store import Run, read_about
from harness.stability.plan import CampaignPlan, read_plan, with_plan

__all__ = ["build_digest", "find_campaign"]

# What of run.json's host makes boots differ; its name does not, and neither does the name of its distribution.
_HOST = ("kernel", "machine", "cpu", "cpus", "memory_bytes")


def build_digest(plan: CampaignPlan, about: Mapping[str, object]) -> str:
    """Return the SHA-256 of all that decides what a campaign measures, but how many boots it makes; in hex.

    ``about`` is what ``run.json`` holds of the campaign's run, or would hold.
    """
    goal = replace(plan.goal, boots=1, extended=False)
    stored = json.loads(json.dumps(with_plan({}, replace(plan, goal=goal))))
    for entry in stored["stability"]["entries"]:
        # For people; and where the file lies changes nothing.
        del entry["about"], entry["file"]
    host, harness = about.get("host"), about.get("harness")
    content = {
        "plan": stored,
        "host": {key: host.get(key) for key in _HOST} if isinstance(host, Mapping) else None,
        "harness": harness.get("version") if isinstance(harness, Mapping) else None,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def find_campaign(results: Path, digest: str) -> Run | None:
    """Return the newest campaign of this build; None if no night has made one. Others' comparisons are passed over."""
    folders = [path.parent for path in results.glob("*/run.json") if not path.parent.is_symlink()]
    for folder in sorted(folders, reverse=True):
        run = Run(folder)
        try:
            about = read_about(run)
            if "stability" not in about:
                continue
            plan = read_plan(run)
        except HarnessError:
            continue  # damaged, or another version of the harness wrote it: its boots are not counted on
        if not plan.arms and build_digest(plan, about) == digest:
            return run
    return None
