from __future__ import annotations

from harness.doctor.snapshot import Cpuid, HostSnapshot, Unreadable

LEAF = Cpuid(1, 2, 3, 4)
CPUINFO = "vendor_id\t: AuthenticAMD\nflags\t\t: fpu svm\n\nvendor_id\t: Other\nmicrocode\t: 0x1"


def test_what_was_not_looked_at_is_unreadable() -> None:
    empty = HostSnapshot()
    readings = [empty.text("/x"), empty.names("/x"), empty.may("/x"), empty.leaf(1), empty.msr(1), empty.cpu("flags")]
    readings += [empty.flags(), empty.logged("x"), empty.number("/x"), empty.qemu, empty.kvm]
    assert all(isinstance(reading, Unreadable) and not reading.absent for reading in readings)


def test_a_leaf_or_msr_that_the_cpu_lacks_is_absent() -> None:
    host = HostSnapshot(cpuid={7: LEAF}, msrs={8: 9})
    assert (host.leaf(7), host.msr(8)) == (LEAF, 9)
    missing = host.leaf(0x8000001F), host.msr(0xC0010010)
    assert all(isinstance(reading, Unreadable) and reading.absent for reading in missing)


def test_the_first_cpu_speaks_for_all() -> None:
    host = HostSnapshot(files={"/proc/cpuinfo": CPUINFO})
    assert host.cpu("vendor_id") == "AuthenticAMD"
    assert host.flags() == {"fpu", "svm"}
    assert isinstance(host.cpu("microcode"), Unreadable)


def test_the_last_line_of_the_log_that_fits() -> None:
    host = HostSnapshot(log=("a 1", "b 2", "a 3"))
    assert (host.logged("a"), host.logged("b", "x"), host.logged("x")) == ("a 3", "b 2", None)


def test_a_number_is_a_number() -> None:
    host = HostSnapshot(files={"/a": "-1", "/b": "many"})
    assert host.number("/a") == -1
    assert isinstance(wrong := host.number("/b"), Unreadable) and "'many'" in wrong.why
