"""The scenarios of real KVM against an SSH server: a Linux guest with KVM that ci/hosts.yaml names as any machine."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from harness.boot.hosts import open_host_site
from harness.clock import Deadline

pytestmark = [pytest.mark.slow, pytest.mark.qemu]

SCENARIOS = Path(__file__).parents[2] / "scenarios" / "kvm"


def type_(*words: str) -> str:
    """Run a command as a person does who adds a machine, and return what it prints."""
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


@asynccontextmanager
async def machine_with_kvm(folder: Path) -> AsyncIterator[None]:
    """Boot one and write ``hosts.yaml``, its key and known_hosts into ``folder``; none of the harness's own way in."""
    await asyncio.to_thread(type_, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key"))
    async with open_host_site("virtual", os.environ, folder) as there:
        let_in = f"echo '{(folder / 'key.pub').read_text().strip()}' >>/root/.ssh/authorized_keys"
        await there.host.run(let_in, Deadline.after(60))
        journal = next(folder.glob(".host-*/**/qmp.jsonl")).read_text()
        port = int(re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1 (\d+)", journal)[1])  # type: ignore[index]
        known = await asyncio.to_thread(type_, "ssh-keyscan", "-T", "60", "-t", "ed25519", "-p", str(port), "127.0.0.1")
        (folder / "known_hosts").write_text(known)
        (folder / "hosts.yaml").write_text(
            f"hosts:\n  lab:\n    address: 127.0.0.1\n    port: {port}\n    key: {folder}/key\n"
            f"    known_hosts: {folder}/known_hosts\n    slots: 1\n"
        )
        yield


def test_real_kvm_events_are_counted_and_routed_on_a_machine_reached_by_ssh(tmp_path: Path) -> None:
    async def scenario() -> str:
        async with machine_with_kvm(tmp_path):
            words = ["run", SCENARIOS / "hypercalls.yaml", SCENARIOS / "msi.yaml", "--host", "lab", "--format", "json"]
            environment = {**os.environ, "SVSM_HARNESS_HOSTS": str(tmp_path / "hosts.yaml")}
            made = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "harness.cli", *map(str, words), "--results", str(tmp_path / "results"),
                stdout=subprocess.PIPE, env=environment,
            )  # fmt: skip
            try:
                async with asyncio.timeout(400):
                    return (await made.communicate())[0].decode()
            finally:
                with suppress(ProcessLookupError):
                    made.kill()

    answer = json.loads(asyncio.run(scenario()))
    assert [boot["status"] for boot in answer["boots"]] == ["PASS"] * 4, answer
    record = json.loads((tmp_path / "results" / "latest" / "boots" / "0001" / "boot.json").read_text())
    assert (record["host"]["kind"], record["identity"]["platform"]) == ("ssh", "kvm")
