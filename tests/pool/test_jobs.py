import pytest

from harness.errors import InputError
from harness.pool.jobs import Job, parse_jobs


def test_jobs_are_read() -> None:
    text = """
- {name: vmpl, run: "run scenarios/vmpl --only 'a b'"}
- {name: kernel, run: run scenarios/kvm, host: turin-1, exclusive: true, priority: 10}
- {name: rate, run: stability scenarios/stability/linux.yaml --boots 60}
"""
    assert parse_jobs(text, "jobs.yaml") == (
        Job("vmpl", ("run", "scenarios/vmpl", "--only", "a b")),
        Job("kernel", ("run", "scenarios/kvm"), "turin-1", True, 10),
        Job("rate", ("stability", "scenarios/stability/linux.yaml", "--boots", "60")),
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is no YAML"),
        ("a: 1", "write a list of jobs"),
        ("[]", "write a list of jobs"),
        ("[x]", "job 1 is no mapping"),
        ("[{name: a, run: run x, hots: b}]", "unknown key 'hots'"),
        ("[{run: run x}]", "needs a name"),
        ("[{name: a, run: rm -rf x}]", "must begin with one of run, stability, compare"),
        ("[{name: a, run: run x --host=b}]", "name a host by host:"),
        ("[{name: a, run: run x -n 4}]", "the pool says --host"),
        ("[{name: a, run: run x, exclusive: 1}]", "exclusive is true or false"),
        ("[{name: a, run: run x, priority: true}]", "priority is a whole number"),
        ("[{name: a, run: run x}, {name: a, run: run y}]", "two jobs are named a"),
    ],
)
def test_what_is_no_job_is_refused(text: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        parse_jobs(text, "jobs.yaml")
