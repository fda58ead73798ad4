"""Perturbed boots of a real Linux guest, and what is left of them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from cli.command import Bench

from harness.boot.perturb import PERTURB_FILE, perturbing
from harness.boot.site import Site
from harness.errors import Unsupported
from harness.host.memory import MemoryBudget
from harness.scenario.perturb import Perturb

SCENARIO = """
name: perturbed
about: Two vCPUs come up whatever is done to them.
machine: {vcpus: 2, devices: ["pcie-root-port,id=late"]}
platforms: {tcg: }
perturb: {cpus: 1, pause: 40ms, pause_every: 60ms, memory: 32M, device: "virtio-rng-pci,bus=late", device_within: 1s}
"""


def _scenario(tmp_path: Path, text: str = SCENARIO) -> Path:
    path = tmp_path / "perturbed.yaml"
    path.write_text(text)
    return path


def _done(run: Path, boot: str = "0001") -> dict[str, Any]:
    about: dict[str, Any] = json.loads((run / "boots" / boot / PERTURB_FILE).read_bytes())
    return about


@pytest.mark.slow
@pytest.mark.qemu
def test_everything_is_done_recorded_and_undone(tmp_path: Path, site: Site) -> None:
    bench = Bench(tmp_path, tmp_path)
    words = ("stability", _scenario(tmp_path), "--boots", "2", "-n", "1", "--format", "json")
    done = bench.command(*words)
    assert (done.status, done.json["good"]) == (0, 2)
    bench.until_alone()
    first, second = _done(bench.run), _done(bench.run, "0002")
    assert (first["seed"], second["seed"]) == (1, 2)
    assert {entry["what"] for entry in first["done"]} == {"cpus", "memory", "device", "pause"}
    pauses = [entry for entry in first["done"] if entry["what"] == "pause"]
    assert len(pauses) > 5
    assert {entry["vcpu_thread"] for entry in pauses} == {0, 1}
    assert all(0 <= entry["pause_s"] <= 0.04 for entry in pauses)
    assert [entry["at_s"] for entry in first["done"]] == sorted(entry["at_s"] for entry in first["done"])


@pytest.mark.qemu
def test_a_harness_that_is_killed_leaves_nothing(tmp_path: Path, site: Site) -> None:
    bench = Bench(tmp_path, tmp_path)
    with bench.start("run", _scenario(tmp_path)) as process:

        def eats() -> bool:
            return any("bytearray" in words for words in bench.descendants(process.pid).values())

        bench.until(lambda: eats() and bench.qemu(), process)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    bench.until_alone()


@pytest.mark.slow
@pytest.mark.qemu
def test_a_device_that_qemu_refuses_makes_it_another_boot(tmp_path: Path, site: Site) -> None:
    bench = Bench(tmp_path, tmp_path)
    words = ("--set", "perturb.device=no-such-device", "--set", "perturb.device_within=10ms")
    done = bench.command("run", _scenario(tmp_path), *words, "--format", "json")
    assert done.status == 3
    assert "QEMU did not take the device no-such-device" in done.json["boots"][0]["reason"]


def test_a_qemu_elsewhere_is_refused(tmp_path: Path) -> None:
    machine: Any = type("Elsewhere", (), {"process": None})

    async def boot() -> None:
        async with perturbing(Perturb(cpus=1), machine, MemoryBudget(tmp_path, 1), tmp_path, []):
            pass

    with pytest.raises(Unsupported, match="only where QEMU runs on this machine"):
        asyncio.run(boot())


def test_nothing_asked_is_nothing_done(tmp_path: Path) -> None:
    async def boot() -> None:
        machine: Any = None
        async with perturbing(None, machine, MemoryBudget(tmp_path, 1), tmp_path, []):
            pass

    asyncio.run(boot())
    assert list(tmp_path.iterdir()) == []
