"""Turn a scenario file into frozen, typed values; every error with its line and column."""

from harness.scenario.confidential import Snp, SnpPolicy, Svsm
from harness.scenario.expectation import Expectation
from harness.scenario.load import load_scenario
from harness.scenario.model import Guest, Machine, Payload, Pflash, Platform, Stability
from harness.scenario.schema import build_schema
from harness.scenario.setting import Scenario, Setting, Variant
from harness.scenario.steps import (
    DownloadStep,
    GuestStep,
    InterruptIncrease,
    Pace,
    QmpStep,
    SleepStep,
    Step,
    UploadStep,
    WaitStep,
)
from harness.scenario.stored import dump_setting, load_setting

__all__ = [
    "DownloadStep",
    "Expectation",
    "Guest",
    "GuestStep",
    "InterruptIncrease",
    "Machine",
    "Pace",
    "Payload",
    "Pflash",
    "Platform",
    "QmpStep",
    "Scenario",
    "Setting",
    "SleepStep",
    "Snp",
    "SnpPolicy",
    "Stability",
    "Step",
    "Svsm",
    "UploadStep",
    "Variant",
    "WaitStep",
    "build_schema",
    "dump_setting",
    "load_scenario",
    "load_setting",
]
