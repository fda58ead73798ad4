"""Say what the guest's kernel is told on its command line, and why.

Short on purpose. Measured with Debian's 6.1 kernel under emulation (q35, one vCPU, SSH after 2.4 s): ``tsc=reliable``,
``nokaslr``, ``mitigations=off``, ``ipv6.disable=1``, ``lsm=``, ``quiet`` and ``8250.nr_uarts=1`` change less than the
noise, 0.2 s. What does save time hides what this harness is here to find: ``cryptomgr.notests`` (0.2 s) skips
self-tests that notice damaged vector registers, and ``no_timer_check`` the proof that the timer interrupt arrives.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["KERNEL_PARAMETERS", "Parameter", "kernel_parameters"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """Be one word of the kernel's command line and the reason for it."""

    word: str
    reason: str


KERNEL_PARAMETERS: tuple[Parameter, ...] = (
    Parameter("console=ttyS0", "the console that QEMU logs"),
    Parameter(
        "earlyprintk=serial,ttyS0,115200",
        "a kernel that dies before its console is up says why; costs nothing, and the real console takes over",
    ),
    Parameter("panic=-1", "a panic resets at once, which -no-reboot turns into an end that QMP reports"),
    Parameter("printk.time=1", "a time on every line, also where the distribution's kernel has none by default"),
    Parameter("apic_extnmi=all", "inject-nmi reaches every CPU; by default Linux masks it on all but the first"),
    Parameter("random.trust_cpu=on", "no wait for entropy at the first key exchange; most kernels have it on already"),
)


def kernel_parameters() -> str:
    """Return the parameters as one string, for QEMU's ``-append``."""
    return " ".join(parameter.word for parameter in KERNEL_PARAMETERS)
