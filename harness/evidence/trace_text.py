"""Decode the text behind an event's name, in every flavour's words.

One template an event covers all flavours: what only some print is optional. ``<name:kind>`` is a field, the rest is a
regular expression. The kinds follow printf: ``u`` and ``d`` decimal, ``x`` hexadecimal without 0x, ``X`` the fixed 16
digits of ``%016llx`` (so that a cut number does not pass for a smaller one), ``w`` a word, ``s`` any text, ``t`` any
text up to the end, and ``f`` a flag: true if what follows the second colon is there. Templates: Linux 6.12 and 7.3
TP_printk lines, and the sources named in :mod:`harness.evidence.trace_events`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from harness.evidence import trace_events as ev
from harness.evidence import trace_events_host as host
from harness.evidence.trace_events import Extra, Fields

__all__ = ["KNOWN_EVENTS", "Decoded", "decode_text", "fields_of", "hexadecimal_fields", "split_pairs"]


@dataclass(frozen=True, slots=True)
class Decoded:
    """Hold the fields of one text; ``familiar`` is false if it had fields that no known flavour prints."""

    fields: Fields
    familiar: bool


_PAREN3 = r"\(<mode:w>\|<destination:w>\|<trigger:w>"
# event: (type, template)
_TEMPLATES: dict[str, tuple[type, str]] = {
    "kvm_entry": (
        ev.KvmEntry,
        r"vcpu <vcpu:u>, rip 0x<rip:x>(?: intr_info 0x<intr_info:x> error_code 0x<error_code:x>)?"
        r" ?<immediate_exit:f:\[immediate exit\]>"
        r"(?:,? vcpu_vmpl <vcpu_vmpl:d>, current_vmpl <current_vmpl:d>, target_vmpl <target_vmpl:d>)?",
    ),
    "kvm_exit": (
        ev.KvmExit,
        r"vcpu <vcpu:u> reason <reason:s> rip 0x<rip:x> info1 0x<info1:X> info2 0x<info2:X>"
        r" intr_info 0x<intr_info:x> error_code 0x<error_code:x>(?: requests 0x<requests:X>)?",
    ),
    "kvm_vmgexit_enter": (
        ev.Vmgexit,
        r"vcpu <vcpu:u>, exit_reason <exit_reason:x>, exit_info1 <exit_info1:x>, exit_info2 <exit_info2:x>",
    ),
    "kvm_vmgexit_msr_protocol_enter": (ev.MsrProtocolEnter, r"vcpu <vcpu:u>, ghcb_gpa <ghcb_gpa:X>"),
    "kvm_vmgexit_msr_protocol_exit": (
        ev.MsrProtocolExit,
        r"vcpu <vcpu:u>, ghcb_gpa <ghcb_gpa:X>, result <result:d>",
    ),
    "kvm_arch_vcpu_ioctl_run_vtl_switch": (
        ev.VtlSwitch,
        r"vcpu <vcpu:u>: current_vmpl <current_vmpl:d>, target vtl <target_vmpl:d>",
    ),
    "kvm_rdh2": (
        ev.Rdh2,
        r"<msg:s> vcpu_id <vcpu:x> vcpu_vmpl <vcpu_vmpl:x> current_vmpl <current_vmpl:x> target_vmpl <target_vmpl:x>",
    ),
    "kvm_rmp_fault": (
        host.RmpFault,
        r"vcpu <vcpu:u> gpa <gpa:X> pfn 0x<pfn:x> error_code 0x<error_code:x> rmp_level <rmp_level:d>"
        r" psmash_ret <psmash_ret:d>",
    ),
    "kvm_inj_virq": (ev.InjectVirq, r"<kind:w> 0x<vector:x><reinjected:f: \[reinjected\]>"),
    "kvm_inj_exception": (ev.InjectException, r"<exception:t><reinjected:f: \[reinjected\]>"),
    # planes-6.17 prints the plane before the parenthesis here, and behind it for an MSI.
    "kvm_apic_accept_irq": (
        ev.AcceptIrq,
        r"apicid <apicid:x> vec <vec:u>(?: plane <plane:d>)? \(<mode:w>\|<trigger:w>\)",
    ),
    "kvm_msi_set_irq": (
        ev.MsiSetIrq,
        r"dst <dst:x> vec <vec:u> " + _PAREN3 + r"<redirection_hint:f:\|rh>\)(?: plane <plane:d>)?",
    ),
    "kvm_ioapic_set_irq": (
        ev.IoapicSetIrq,
        r"pin <pin:u> dst <dst:x> vec <vec:u> " + _PAREN3 + r"<masked:f:\|masked>\)<coalesced:f: \(coalesced\)>",
    ),
    "kvm_ioapic_delayed_eoi_inj": (ev.DelayedEoi, r"dst <dst:x> vec <vec:u> " + _PAREN3 + r"<masked:f:\|masked>\)"),
    "kvm_set_irq": (ev.SetIrq, r"gsi <gsi:u> level <level:d> source <source:d>"),
    "kvm_pic_set_irq": (
        ev.PicSetIrq,
        r"chip <chip:u> pin <pin:u> \(<trigger:w><masked:f:\|masked>\)<coalesced:f: \(coalesced\)>",
    ),
    "kvm_apic_ipi": (
        ev.ApicIpi,
        r"dst <dst:x> vec <vec:u> \(<mode:w>\|<destination:w>\|<assertion:w>\|<trigger:w>\|<shorthand:w>\)",
    ),
    "kvm_eoi": (ev.Eoi, r"apicid <apicid:x> vector <vector:d>"),
    "kvm_ack_irq": (ev.AckIrq, r"irqchip <irqchip:s> pin <pin:u>"),
    "kvm_apic": (host.ApicRegister, r"apic_<access:w> <register:w> = 0x<value:x>"),
    "kvm_userspace_exit": (ev.UserspaceExit, r"reason <reason:s> \(<code:d>\)"),
    "kvm_page_fault": (
        host.PageFault,
        r"vcpu <vcpu:u> rip 0x<rip:x> address 0x<address:X> error_code 0x<error_code:x>",
    ),
    "kvm_vcpu_wakeup": (host.VcpuWakeup, r"<how:w> time <time_ns:d> ns, polling <polling:w>"),
    "kvm_halt_poll_ns": (host.HaltPoll, r"vcpu <vcpu:u>: halt_poll_ns <new_ns:u> \(<how:w> <old_ns:u>\)"),
    "kvm_msr": (host.Msr, r"msr_<access:w> <msr:x> = 0x<value:x><refused:f: \(#GP\)>"),
    "kvm_apicv_inhibit_changed": (
        host.InhibitChanged,
        r"<change:w> reason=<reason:u>, inhibits=0x<inhibits:x> ?<note:t>",
    ),
    "kvm_pi_irte_update": (
        host.IrteUpdate,
        r"(?:VT-d )?PI is <state:s> for irq <irq:u>, vcpu <vcpu:d>, gsi: 0x<gsi:x>, gvec: 0x<gvec:x>"
        r"(?:, pi_desc_addr: 0x<pi_desc_addr:x>)?",
    ),
    "kvm_avic_incomplete_ipi": (
        host.IncompleteIpi,
        r"vcpu=<vcpu:u>, icrh:icrl=0x<icrh:x>:<icrl:x>, id=<id:u>, index=<table_index:u>",
    ),
    "kvm_avic_unaccelerated_access": (
        host.UnacceleratedAccess,
        r"vcpu=<vcpu:u>, offset=0x<offset:x>\(<register:w>\), <access:w>, <kind:w>, vec=0x<vec:x>",
    ),
    "kvm_avic_ga_log": (host.GaLog, r"vmid=<vmid:u>, vcpuid=<vcpu:u>"),
    "kvm_avic_kick_vcpu_slowpath": (host.KickSlowpath, r"icrh:icrl=0x<icrh:x>:<icrl:x>, index=<table_index:u>"),
    "kvm_avic_doorbell": (host.DoorbellAvic, r"vcpuid=<vcpu:u>, apicid=<apicid:u>"),
    "kvm_hypercall": (
        host.Hypercall,
        r"nr 0x<nr:x> a0 0x<a0:x> a1 0x<a1:x> a2 0x<a2:x> a3 0x<a3:x>",
    ),
    # The dots say that there were more values than the one that is printed.
    "kvm_pio": (
        host.Pio,
        r"pio_<access:w> at 0x<port:x> size <size:u> count <repeats:u> val 0x<val:x>(?: \(\.\.\.\))?",
    ),
    "kvm_mmio": (host.Mmio, r"mmio <access:w> len <len:u> gpa 0x<gpa:x> val 0x<val:x>"),
    "vmpl_model_mark": (ev.Mark, r"step=<step:w> <edge:w>"),
    "tracing_mark_write": (ev.Mark, r"<:prefix>step=<step:w> <edge:w>"),
    "vmpl_model_trace_end": (ev.TraceEnd, r"lines=<lines:u>"),
}
_TEMPLATES["kvm_vmgexit_exit"] = _TEMPLATES["kvm_vmgexit_enter"]
_TEMPLATES["vmpl_model_trace_limit"] = _TEMPLATES["vmpl_model_trace_end"]
_TEMPLATES["kvm_pv_eoi"] = _TEMPLATES["kvm_eoi"]

_KINDS = {
    "u": r"[0-9]{1,20}",
    "d": r"-?[0-9]{1,20}",
    "x": r"[0-9a-fA-F]{1,16}",
    "X": r"[0-9a-f]{16}",
    "w": r"[^\s|(),]{1,64}",
    "s": r".{0,256}?",
    "t": r".{0,256}?",
}
_CONVERT: dict[str, Callable[[str], int | str | bool]] = {
    "u": int,
    "d": int,
    "x": lambda text: int(text, 16),
    "X": lambda text: int(text, 16),
    "w": str,
    "s": str,
    "t": str,
    "f": bool,
}
_FIELD = re.compile(r"<(\w*):(\w+)(?::([^>]*))?>")
# Two lines that lost the line end between them: the second one's head stands in the first one's text.
_GLUED = re.compile(r"-\d+ +(?:\([ \d-]+\) +)?\[\d{3,}\] ")
_PAIR = re.compile(r"(?:^|(?<=[\s,(|]))([A-Za-z_][\w ]*?)[ =:]+(-?0x[0-9a-fA-F]+|-?[0-9][0-9a-fA-F]*)(?=$|[\s,)|])")


@dataclass(frozen=True, slots=True)
class _Format:
    make: Callable[..., Fields]
    required: frozenset[str]
    pattern: re.Pattern[str]
    kinds: dict[str, str]
    # Finds the fields that are printed in hexadecimal without 0x.
    bare: re.Pattern[str]


def _compile(make: type, template: str) -> _Format:
    kinds: dict[str, str] = {}

    def group(match: re.Match[str]) -> str:
        name, kind, text = match[1], match[2], match[3]
        if not name:
            return r"(?:.{0,64}? )?"
        kinds[name] = kind
        return f"(?P<{name}>{text})?" if kind == "f" else f"(?P<{name}>{_KINDS[kind]})"

    # What a newer kernel adds at the end is kept; it needs a separator, or a cut number would look complete.
    tail = "(?P<extra>)" if ":t>" in template else r"(?P<extra>[ ,]\s*\S.*)?"
    body = _FIELD.sub(group, template) + tail + r"\s*"
    fields: tuple[str, ...] = make._fields  # type: ignore[attr-defined]
    defaults: dict[str, object] = make._field_defaults  # type: ignore[attr-defined]
    bare = "|".join(name for name, kind in kinds.items() if kind in "xX") or "(?!)"
    return _Format(
        make=cast("Callable[..., Fields]", make),
        required=frozenset(fields) - frozenset(defaults),
        pattern=re.compile(body),
        kinds=kinds,
        bare=re.compile(rf"\b({bare})[ =:]+(?:0x)?([0-9a-fA-F]{{1,16}})\b"),
    )


_FORMATS = {event: _compile(make, template) for event, (make, template) in _TEMPLATES.items()}

#: The events whose fields have names here; any other event is decoded to :class:`~.trace_events.RawText`.
KNOWN_EVENTS = frozenset(_FORMATS)


def hexadecimal_fields(event: str) -> frozenset[str]:
    """Return the fields of ``event`` that are printed in hexadecimal; empty for an unknown event."""
    known = _FORMATS.get(event)
    return frozenset() if known is None else frozenset(name for name, kind in known.kinds.items() if kind in "xX")


def fields_of(event: str) -> tuple[str, ...] | None:
    """Return the names of an event's fields; None for an event that is only split into its pairs."""
    known = _FORMATS.get(event)
    return None if known is None else tuple(known.kinds)


def split_pairs(text: str, hexadecimal: frozenset[str] = frozenset()) -> Extra:
    """Read all ``key value``, ``key=value`` and ``key: value`` pairs with a number for a value.

    A key named in ``hexadecimal`` is printed without 0x. Any other number with letters in it stays text, because its
    base would be a guess.
    """
    return tuple((key, _number(value, key in hexadecimal)) for key, value in _PAIR.findall(text))


def _number(text: str, hexadecimal: bool) -> int | str:
    if hexadecimal or "0x" in text:
        return int(text, 16)
    return int(text) if text.lstrip("-").isdecimal() else text


def decode_text(event: str, text: str) -> Decoded | None:
    """Decode ``text``; None if the fields that every flavour prints are not all there (a cut or damaged line).

    ``text`` is what follows ``event: ``, without a sequence number. An unknown event is never None.
    """
    if _GLUED.search(text):
        return None
    known = _FORMATS.get(event)
    if known is None:
        return Decoded(ev.RawText(text, split_pairs(text)), True)
    match = known.pattern.fullmatch(text)
    if match is None:
        return _decode_by_keys(known, text)
    values: dict[str, object] = {
        name: _CONVERT[kind](match[name]) for name, kind in known.kinds.items() if match[name] is not None
    }
    tail = match["extra"]
    if not tail:
        return Decoded(known.make(**values), True)
    extra = split_pairs(tail)
    if any(key in known.kinds for key, _ in extra):
        return None  # the first half of a known flavour's fields: the line was cut
    return Decoded(known.make(**values, extra=extra or (("", tail.strip(" ,")),)), False)


# A flavour nobody has seen: find the fields by their words, wherever they stand. Only numbers can be found so.
def _decode_by_keys(known: _Format, text: str) -> Decoded | None:
    values: dict[str, object] = {}
    extra: list[tuple[str, int | str]] = []
    for key, value in split_pairs(known.bare.sub(r"\1 0x\2", text)):
        name = key if key in known.kinds else key.rsplit(" ", 1)[-1]
        if known.kinds.get(name, "") in tuple("udxX") and isinstance(value, int) and name not in values:
            values[name] = value
        else:
            extra.append((key, value))
    if not known.required <= values.keys() or not extra:
        return None
    return Decoded(known.make(**values, extra=tuple(extra)), False)
