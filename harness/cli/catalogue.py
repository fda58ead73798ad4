"""``svsm-harness list``, ``validate`` and ``schema``: look at scenarios without booting any."""

from __future__ import annotations

import json
import os

from harness.catalogue import find_files, load_files, parse_set, select_variants
from harness.checks import all_checks
from harness.cli.options import Format, Only, Paths, SetValues, paths_or_default
from harness.cli.table import columns, terminal_width
from harness.scenario.schema import build_schema

__all__ = ["list_variants", "schema", "validate"]


def list_variants(
    paths: Paths = None, set_values: SetValues = None, only: Only = None, output: Format = "text"
) -> None:
    """List the variants of the scenarios, the grades that each can have, and why each scenario exists."""
    scenarios = load_files(find_files(paths_or_default(paths)), parse_set(set_values), os.environ)
    variants = select_variants(scenarios, only or [])
    if output == "json":
        document = [
            {
                "variant": variant.full_id,
                "scenario": variant.scenario,
                "file": variant.file,
                "about": variant.about,
                "tags": list(variant.tags),
                "platforms": [str(platform) for platform, _ in variant.platforms],
            }
            for variant in variants
        ]
        print(json.dumps(document, indent=1))
        return
    rows = [("variant", "grades", "about")]
    for variant in variants:
        rows.append((variant.full_id, " ".join(platform for platform, _ in variant.platforms), variant.about))
    print("\n".join(columns(rows, terminal_width())))


def validate(paths: Paths = None, set_values: SetValues = None) -> None:
    """Check scenario files and print every error as file:line:column; exit status 2 if there is one."""
    files = find_files(paths_or_default(paths))
    scenarios = load_files(files, parse_set(set_values), os.environ)
    count = sum(len(scenario.variants) for scenario in scenarios)
    print(f"{len(files)} files, {len(scenarios)} scenarios, {count} variants: all valid")


def schema() -> None:
    """Print the JSON Schema of scenario files, for editors; scenarios/schema.json is this text."""
    print(json.dumps(build_schema(all_checks()), indent=2))
