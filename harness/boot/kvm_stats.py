"""Read KVM's binary statistics of a running guest, by QMP ``query-stats`` (since QEMU 7.1; qapi/stats.json)."""

from __future__ import annotations

from harness.clock import Deadline
from harness.evidence.host import KvmSample
from harness.qemu.machine import VirtualMachine

__all__ = ["parse_stats", "read_kvm_stats"]


async def read_kvm_stats(machine: VirtualMachine, labels: list[str], deadline: Deadline) -> list[KvmSample]:
    """Return one reading, once for each of ``labels``.

    :raise QmpRefused: if this QEMU has no such command.
    :raise MonitorLost: if it does not answer.
    """
    at_s = machine.now_s()
    cpus = await machine.monitor.execute("query-cpus-fast", None, deadline)
    vcpu_of = {str(cpu["qom-path"]): int(cpu["cpu-index"]) for cpu in cpus}
    found = {
        target: parse_stats(await machine.monitor.execute("query-stats", {"target": target}, deadline))
        for target in ("vcpu", "vm")
    }
    vcpus = {vcpu_of[path]: stats for path, stats in found["vcpu"].items() if path in vcpu_of}
    vm: dict[str, int] = {}
    for stats in found["vm"].values():
        vm |= stats
    return [KvmSample(label, at_s, vcpus, vm) for label in labels]


def parse_stats(answer: object) -> dict[str, dict[str, int]]:
    """Return the numbers of the provider kvm by QOM path (empty for the VM); histograms and states are left out."""
    found: dict[str, dict[str, int]] = {}
    for one in answer if isinstance(answer, list) else []:
        if not isinstance(one, dict) or one.get("provider") != "kvm":
            continue
        stats = found.setdefault(str(one.get("qom-path", "")), {})
        for stat in one.get("stats", []):
            value = stat.get("value")
            if isinstance(value, int) and not isinstance(value, bool):
                stats[str(stat["name"])] = value
    return found
