"""Look at this machine and say what it can run: one finding a question, each with the value seen and what to do."""

from harness.doctor.examine import examine, examine_site
from harness.doctor.finding import Finding, Report, State

__all__ = ["Finding", "Report", "State", "examine", "examine_site"]
