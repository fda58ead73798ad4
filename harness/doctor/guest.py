"""Check the parts that guests are made of."""

from __future__ import annotations

from functools import partial

from harness.doctor.finding import FROM_TCG, MODEL, Answer, Check, Group, lacks, note, ok, unknown
from harness.doctor.snapshot import HostSnapshot, Unreadable

__all__ = ["CHECKS"]

_QUICKSTART = "run ci/quickstart, which installs what is missing"


def _program(name: str, host: HostSnapshot) -> Answer:
    found = host.programs.get(name)
    return ok(found) if found else lacks("not found")


def _optional_program(name: str, fix: str, host: HostSnapshot) -> Answer:
    found = host.programs.get(name)
    return ok(found) if found else note("not found", fix)


def _tools(host: HostSnapshot) -> Answer:
    return lacks(host.guest_tools.why) if isinstance(host.guest_tools, Unreadable) else ok(host.guest_tools)


def _kernel(host: HostSnapshot) -> Answer:
    return lacks(host.guest_kernel.why) if isinstance(host.guest_kernel, Unreadable) else ok(host.guest_kernel)


def _image(host: HostSnapshot) -> Answer:
    return unknown(host.guest_image) if isinstance(host.guest_image, Unreadable) else ok(host.guest_image)


def _payload(name: str) -> Check:
    look = partial(_program, name)
    return Check(Group.GUEST, name, "builds the model payload", look, MODEL, decides=True, fix=f"install {name}")


CHECKS = (
    _payload("make"),
    _payload("gcc"),
    Check(Group.GUEST, "programs", "what a Linux guest runs", _tools, FROM_TCG, decides=True, fix=_QUICKSTART),
    Check(Group.GUEST, "kernel", "what a Linux guest boots", _kernel, FROM_TCG, decides=True, fix="set guest.kernel"),
    Check(Group.GUEST, "image", "the initramfs of Linux guests", _image, FROM_TCG, decides=True, fix=_QUICKSTART),
    Check(
        Group.GUEST,
        "ssh",
        "lets you into a guest by hand",
        partial(_optional_program, "ssh", "install openssh-client"),
    ),
)
