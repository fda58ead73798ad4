"""The pool by its command: who has what, holds, and jobs on this machine and on one behind SSH."""

from __future__ import annotations

import importlib.util
import json
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest
from ssh_server import inventory, network, serve

from harness.pool.lease import Leases, Who

from .command import Bench

pytestmark = pytest.mark.qemu
TWO_NIGHTS = Path(__file__).parents[1] / "nightly/two_nights.yaml"
_POOL = importlib.util.find_spec("distributed") is not None


@pytest.fixture
def lab(bench: Bench) -> Bench:
    inventory = bench.folder / "hosts.yaml"
    inventory.write_text(
        "hosts:\n  turin: {address: 192.0.2.1, slots: 2, jump: [gate]}\n  gate: {address: 192.0.2.2}\n"
    )
    bench.environment = {"SVSM_HARNESS_HOSTS": str(inventory), "XDG_CACHE_HOME": str(bench.folder / "cache")}
    return bench


def test_who_has_what(lab: Bench) -> None:
    with Leases(lab.folder / "cache/svsm-harness/pool").hold("turin", 2, Who("ann", "bisect"), exclusive=True):
        done = lab.command("hosts")
        assert done.status == 0, done.err
        rows = {line.split()[0]: line for line in done.out.splitlines()}
        assert set(rows) == {"host", "local", "turin"}  # a gateway is no host to boot on
        assert "free" in rows["local"] and "ann: bisect" in rows["turin"] and "alone" in rows["turin"]
    held = lab.command("hosts", "--hold", "turin", "--why", "a hang", "--format", "json")
    (turin,) = [each for each in held.json if each["host"] == "turin"]
    assert turin["holders"] == [] and "a hang" in turin["blocked"]
    assert "a hang" in lab.command("hosts").out
    assert "a hang" not in lab.command("hosts", "--release", "turin").out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--hold", "turn", "--why", "x"], "there is no host turn; hosts: local, turin"),
        (["--hold", "turin"], "--why"),
        (["--hold", "turin", "--why", "x", "--release", "turin"], "choose one"),
        (["--run", "missing.yaml"], "cannot be read"),
        (["--run", "jobs.yaml", "--address", "192.0.2.9"], "TLS alone"),
    ],
)
def test_what_cannot_be_is_refused(lab: Bench, words: list[str], why: str) -> None:
    done = lab.command("hosts", *words)
    assert done.status == 2 and why in done.err


def test_without_the_extra_the_command_says_what_to_install(lab: Bench) -> None:
    (lab.folder / "jobs.yaml").write_text("[{name: a, run: run x}]")
    # An interpreter that cannot find it, as one where it is not installed.
    (lab.folder / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'distributed' else find(name, *more)\n"
    )
    lab.environment = {**lab.environment, "PYTHONPATH": str(lab.folder)}
    assert "free" in lab.command("hosts").out
    done = lab.command("hosts", "--run", "jobs.yaml")
    assert done.status == 4 and "pip install 'svsm-harness[pool]'" in done.err


@pytest.mark.slow
@pytest.mark.skipif(not _POOL, reason="the extra pool is not installed")
def test_jobs_run_on_this_machine_and_behind_ssh(lab: Bench, tmp_path: Path) -> None:
    jobs = f"""
- {{name: here, run: run {TWO_NIGHTS}, host: local}}
- {{name: there, run: run {TWO_NIGHTS} --set spurious=0.5, host: there, exclusive: true, priority: 10}}
"""
    (lab.folder / "jobs.yaml").write_text(jobs)
    with serve(tmp_path / "server") as server:
        (lab.folder / "hosts.yaml").write_text(inventory({"there": server}, slots=2))
        done = lab.command("hosts", "--run", "jobs.yaml", limit_s=150)
    print(done.out, done.err, file=sys.stderr)
    assert done.status == 1  # the fault that was switched on there
    assert "2 of 2 jobs done, 0 attempts lost" in done.out
    journal = lab.results / "pool/jobs/journal.jsonl"
    ended = {row["job"]: row for row in map(json.loads, journal.read_text().splitlines()) if row["end"] == "done"}
    assert (ended["here"]["status"], ended["there"]["status"]) == (0, 1)
    record = json.loads((Path(ended["there"]["run"]) / "boots/0001/boot.json").read_text())
    assert record["host"]["name"] == "there"
    # Everything is done: nothing is booted, and the answer is the same.
    before = sorted(lab.results.iterdir())
    again = lab.command("hosts", "--run", "jobs.yaml")
    assert again.status == 1 and "2 of 2 jobs done" in again.out
    assert sorted(lab.results.iterdir()) == before


SLOW = """
name: slow
about: A guest that waits for a key, which comes late.
platforms:
  model:
    machine: {memory: 64M}
    payload: {image: vmpl_model, args: {flavour: roy, run: "keyboard:2"}, trace: roy, debug_exit: true}
    timeout: 30s
    steps:
      - wait: {name: first, console: "awaiting keyboard"}
      - sleep: {name: idle, settle: 2s, why: the host is to be lost meanwhile}
      - qmp: {name: keys, execute: send-key, arguments: {keys: [{type: qcode, data: a}], hold-time: 1}}
"""


@pytest.mark.slow
@pytest.mark.skipif(not _POOL, reason="the extra pool is not installed")
def test_a_host_that_is_cut_off_loses_the_attempt_and_not_the_job(lab: Bench, tmp_path: Path) -> None:
    (lab.folder / "slow.yaml").write_text(SLOW)
    (lab.folder / "jobs.yaml").write_text("[{name: cut, run: run slow.yaml, host: loopback}]")
    with serve(tmp_path / "server") as server:
        (lab.folder / "hosts.yaml").write_text(server.inventory)
        with lab.start("hosts", "--run", "jobs.yaml", "--host", "loopback") as process:
            lab.until(lambda: any("-kernel" in words for words in server.processes().values()), process)
            server.kill()
            server.start()
            done = lab.finish(process, 120)
    print(done.out, done.err, file=sys.stderr)
    assert done.status == 0 and "1 of 1 jobs done, 1 attempts lost" in done.out
    rows = list(map(json.loads, (lab.results / "pool/jobs/journal.jsonl").read_text().splitlines()))
    assert [(row["number"], row["end"]) for row in rows] == [(1, "begun"), (1, "lost"), (2, "begun"), (2, "done")]
    assert "was lost while" in rows[1]["why"] and rows[1]["run"] != rows[3]["run"]
    lost = [json.loads(line) for line in (Path(rows[1]["run"]) / "boots.jsonl").read_text().splitlines()]
    assert [boot["status"] for boot in lost] == ["INCONCLUSIVE"]


@pytest.mark.slow
@pytest.mark.skipif(not _POOL, reason="the extra pool is not installed")
def test_three_hosts_of_which_one_is_cut_off_and_one_loses_its_power(lab: Bench, tmp_path: Path) -> None:
    (lab.folder / "slow.yaml").write_text(SLOW)
    names = ["slow-1", "slow-2", *(f"quick-{number}" for number in range(5)), "alone"]
    jobs = [
        f"- {{name: {name}, run: run {'slow.yaml' if name.startswith('slow') else TWO_NIGHTS},"
        f" priority: {5 if name.startswith('slow') else 0}, exclusive: {str(name == 'alone').lower()}}}"
        for name in names
    ]
    (lab.folder / "jobs.yaml").write_text("\n".join(jobs))
    journal = lab.results / "pool/jobs/journal.jsonl"

    def begun() -> dict[str, str]:
        rows = journal.read_text().splitlines() if journal.exists() else []
        return {row["job"]: row["host"] for row in map(json.loads, rows) if row["end"] == "begun"}

    with ExitStack() as stack:
        servers = {}
        for number, name in enumerate(("milan", "genoa", "turin")):
            net = stack.enter_context(network(number))
            servers[name] = stack.enter_context(serve(tmp_path / name, net))
        (lab.folder / "hosts.yaml").write_text(inventory(servers, slots=2))
        chosen = [word for name in servers for word in ("--host", name)]
        with lab.start("hosts", "--run", "jobs.yaml", *chosen) as process:
            for name, harm in (("slow-1", "cut"), ("slow-2", "power")):
                lab.until(lambda name=name: name in begun(), process)
                server = servers[begun()[name]]
                lab.until(lambda server=server: any("-kernel" in w for w in server.processes().values()), process)
                if harm == "cut":
                    assert server.network is not None
                    server.network.cut()
                else:
                    server.power_off()
            done = lab.finish(process, 240)
    print(done.out, done.err, file=sys.stderr)
    assert done.status == 0 and "8 of 8 jobs done" in done.out
    rows = list(map(json.loads, journal.read_text().splitlines()))
    # Everything is done once; what was lost stays to be seen, with its run, in which it is INCONCLUSIVE.
    assert sorted(row["job"] for row in rows if row["end"] == "done") == sorted(names)
    lost = [row for row in rows if row["end"] == "lost"]
    assert {"slow-1", "slow-2"} <= {row["job"] for row in lost}
    for row in lost:
        lines = (Path(row["run"]) / "boots.jsonl").read_text().splitlines() if row["run"] else []
        assert {json.loads(line)["status"] for line in lines} <= {"INCONCLUSIVE"}
    # No host had more than its two boots at a time, and nobody was beside the job that is alone.
    running: dict[str, set[str]] = {name: set() for name in servers}
    for row in rows:
        if row["end"] == "begun":
            running[row["host"]].add(row["job"])
        elif row["host"] in running:
            running[row["host"]].discard(row["job"])
        for at_once in running.values():
            assert len(at_once) <= (1 if "alone" in at_once else 2), (row, running)
