"""Turn a scenario file into frozen, typed values; every error with its line and column."""

from harness.scenario.expectation import Expectation
from harness.scenario.model import Guest, Machine, Payload, Platform, Stability
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

__all__ = [
    "DownloadStep",
    "Expectation",
    "Guest",
    "GuestStep",
    "InterruptIncrease",
    "Machine",
    "Pace",
    "Payload",
    "Platform",
    "QmpStep",
    "Scenario",
    "Setting",
    "SleepStep",
    "Stability",
    "Step",
    "UploadStep",
    "Variant",
    "WaitStep",
]
