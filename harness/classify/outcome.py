"""Decide how a boot ended, from everything that was observed, and give it a signature.

A signature names the same fault with the same words in every boot: no addresses, times, process ids or CPU numbers.
What the texts mean is in the tables of the layers; adding one is a row there and a log in tests/classify/corpus.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from harness.classify.console import Finding, console_rules, find_all, stderr_rules, strongest
from harness.classify.hang import Hang, decide_hang
from harness.classify.host_kernel import of_guests
from harness.classify.kinds import HangKind, OutcomeKind
from harness.classify.last_words import last_words
from harness.classify.payload import meaning_of, termination
from harness.classify.rules import Weight
from harness.classify.signature import MAX_SIGNATURE, printable, steady
from harness.evidence.records import BootFacts, QmpEvent
from harness.evidence.startup import Phase, phases

__all__ = ["Outcome", "OutcomeKind", "decide_outcome"]

_TERMINATION = re.compile(r"termination (0x[0-9a-f]+|\d+):(0x[0-9a-f]+|\d+)")
# These say which part of QEMU or of the test spoke, not what went wrong.
_QEMU_PREFIX = re.compile(r"^(?:\S*qemu[\w.-]*: )+")


@dataclass(frozen=True, slots=True)
class Outcome:
    """Say how a boot ended.

    ``signature`` is stable across boots. ``detail`` is one sentence for a person, with this boot's own numbers.
    ``phase`` is the last milestone that was reached, ``start`` if none was. ``hang`` says what the guest was doing;
    None for every end but those in which it was given up.
    """

    kind: OutcomeKind
    signature: str
    detail: str
    phase: str
    hang: Hang | None = None


def decide_outcome(facts: BootFacts) -> Outcome:
    """Decide from the facts of one boot.

    The order is that of trust: what QEMU's death or the guest's own panic text proves stands above what can only be
    inferred from silence. A report that does not end the guest stands below what did end it, and is then named
    behind it. A guest that was ready before it came to another end is both, and the end counts.
    """
    outcome = _decide(facts)
    if facts.ready_s is None or outcome.kind is OutcomeKind.READY:
        return outcome
    return replace(outcome, detail=f"{outcome.detail}; it had been ready, after {facts.ready_s:.1f} s")


def _decide(facts: BootFacts) -> Outcome:
    reached = phases(facts.marks)
    phase = reached[-1].name if reached else "start"
    found = find_all(facts.console, console_rules())
    said = find_all(facts.stderr.encode(errors="replace"), stderr_rules())
    fatal, serious = strongest(found, Weight.FATAL), strongest(found, Weight.SERIOUS)
    complaints = _complaints(facts)
    host = strongest(said, Weight.FATAL) or strongest(complaints, Weight.FATAL)
    end = facts.qemu_end
    if end is not None and not end.asked and end.status < 0:
        return _qemu_ended(facts, OutcomeKind.QEMU_CRASH, f"signal {-end.status}", said, phase)
    if fatal is not None:
        return _reported(_cause(fatal, found), fatal.kind, phase)
    if any(event.name == "GUEST_PANICKED" for event in facts.events):
        # pvpanic (QEMU docs/specs/pvpanic.rst): the guest's kernel said so, by a device instead of the console.
        because = _because(serious or strongest(found, Weight.NOTE))
        return _outcome(
            OutcomeKind.GUEST_PANIC, f"GUEST_PANICKED{because}", "the guest told QEMU that it panicked", phase
        )
    if host is not None:
        return _reported(host, host.kind, phase)
    explains = serious or strongest(found, Weight.NOTE)
    if end is not None and not end.asked:
        # isa-debug-exit ends QEMU with (value << 1) | 1 (QEMU hw/misc/debugexit.c), and says nothing; QEMU's own
        # failures end with 1 as well, but say why.
        if facts.debug_exit and end.status & 1 and not _without_warnings(facts.stderr):
            return _payload_ended(facts, end.status, explains, phase)
        # A payload's QEMU ends with its guest, orderly, and the event says that it was the guest who asked.
        if end.status or _guest_shutdown(facts.events) is None:
            return _qemu_ended(facts, OutcomeKind.QEMU_EXIT, f"status {end.status}", said, phase, explains)
    shutdown = _guest_shutdown(facts.events)
    if shutdown is not None:
        reason, at_s = shutdown
        kind = OutcomeKind.GUEST_RESET if reason == "guest-reset" else OutcomeKind.GUEST_SHUTDOWN
        why = explains if kind is OutcomeKind.GUEST_RESET else serious
        detail = f"the guest asked for {reason} {at_s:.1f} s after start{_quote(why)}"
        return _outcome(kind, f"{reason} in {phase}{_because(why)}", detail, phase)
    if serious is not None:
        return _reported(serious, serious.kind, phase)
    if facts.ready_s is None:
        if facts.gave_up_s is None:
            return _outcome(OutcomeKind.LOST, "lost", "the record says neither ready nor why not", phase)
        return _silent(
            facts, reached, facts.gave_up_s, found, strongest(said, Weight.NOTE) or strongest(complaints, Weight.NOTE)
        )
    return _outcome(OutcomeKind.READY, "ready", f"ready after {facts.ready_s:.1f} s{_quote(explains)}", phase)


def _outcome(kind: OutcomeKind, signature: str, detail: str, phase: str) -> Outcome:
    return Outcome(kind, signature if signature.startswith(kind) else f"{kind}: {signature}", detail, phase)


def _complaints(facts: BootFacts) -> tuple[Finding, ...]:
    # What the host's KVM said of its guests while this one ran. Its log is everybody's, so it explains only a boot that
    # went wrong.
    log = facts.host.log if facts.host is not None else None
    fine = facts.ready_s is not None and (facts.qemu_end is None or facts.qemu_end.asked)
    return () if log is None or fine else of_guests(log)


def _cause(fatal: Finding, found: tuple[Finding, ...]) -> Finding:
    # An oops that cannot be survived, or a warning that is told to be fatal, ends in a panic that does not say what.
    if not fatal.consequence:
        return fatal
    before = tuple(finding for finding in found if finding.offset < fatal.offset)
    cause = strongest(before, Weight.SERIOUS)
    if cause is None and "panic_on_warn" in fatal.line:
        cause = strongest(before, Weight.NOTE)
    return cause or fatal


def _reported(finding: Finding, kind: OutcomeKind | None, phase: str) -> Outcome:
    # Only a weight that decides nothing has no kind.
    if kind is None:
        raise ValueError(f"a rule that decides needs a kind: {finding}")
    meaning, signature = "", finding.signature
    if match := _TERMINATION.search(signature):
        # KVM prints the numbers in hexadecimal, QEMU in decimal.
        reason_set, code = int(match.group(1), 0), int(match.group(2), 0)
        signature = f"termination {reason_set}:{code}"
        meaning = f" ({termination(reason_set, code) or 'not in the table of reasons'})"
    cut = f"; the report is not whole: {finding.cut}" if finding.cut else ""
    return _outcome(kind, signature, finding.line + meaning + cut, phase)


def _because(finding: Finding | None) -> str:
    return f"; {finding.signature}" if finding else ""


def _quote(finding: Finding | None) -> str:
    return f"; the console also says: {finding.line}" if finding else ""


def _without_warnings(stderr: str) -> list[str]:
    # A QEMU that warns goes on.
    return [line for line in stderr.strip().splitlines() if "warning: " not in line]


def _qemu_ended(
    facts: BootFacts,
    kind: OutcomeKind,
    how: str,
    said: tuple[Finding, ...],
    phase: str,
    explains: Finding | None = None,
) -> Outcome:
    lines = _without_warnings(facts.stderr)
    last = printable(lines[-1].encode(errors="replace")) if lines else ""
    why = strongest(said, Weight.FATAL) or strongest(said, Weight.NOTE)
    if why is not None:
        signature, last = f"{how}; {why.signature}", why.line
    elif last:
        signature = f"{how}; {steady(_QEMU_PREFIX.sub('', last))[:MAX_SIGNATURE]}"
    else:
        signature = how + _because(explains)
    verb = f"was killed by {how}" if kind is OutcomeKind.QEMU_CRASH else f"ended by itself with exit {how}"
    return _outcome(kind, signature, f"QEMU {verb}" + (f": {last[:300]}" if last else _quote(explains)), phase)


def _payload_ended(facts: BootFacts, status: int, explains: Finding | None, phase: str) -> Outcome:
    meaning = meaning_of(status)
    # 33 is a pass: whatever was said is no reason for it.
    why = explains if status != 33 else None
    detail = f"the payload ended QEMU with exit status {status}" + (f": {meaning}" if meaning else "") + _quote(why)
    return _outcome(OutcomeKind.PAYLOAD_ENDED, f"status {status}{_because(why)}", detail, phase)


def _guest_shutdown(events: tuple[QmpEvent, ...]) -> tuple[str, float] | None:
    # QMP SHUTDOWN carries reason (qapi/run-state.json ShutdownCause); host-… are ours, guest-… are the guest's.
    for event in events:
        if event.name == "SHUTDOWN" and (reason := event.text("reason")) is not None and reason.startswith("guest-"):
            return reason, event.at_s
    return None


def _silent(
    facts: BootFacts, reached: tuple[Phase, ...], gave_up_s: float, found: tuple[Finding, ...], host: Finding | None
) -> Outcome:
    hang = decide_hang(facts)
    known = hang.kind is not HangKind.UNKNOWN
    said = _silence(facts, reached, gave_up_s, found, host, f", {hang.title}" if known else "")
    # In front, where a table that is cut still shows it.
    detail = f"{hang}; {said.detail}" if known or facts.vitals is not None else said.detail
    return replace(said, detail=detail, hang=hang)


def _silence(
    facts: BootFacts,
    reached: tuple[Phase, ...],
    gave_up_s: float,
    found: tuple[Finding, ...],
    host: Finding | None,
    doing: str,
) -> Outcome:
    phase, since_s = (reached[-1].name, reached[-1].end_s) if reached else ("start", 0.0)
    why = host or strongest(found, Weight.NOTE)
    detail = f"not ready after {gave_up_s:.1f} s; the last milestone, {phase}, was at {since_s:.1f} s"
    detail += f"; {facts.gave_up_why}" if facts.gave_up_why else ""
    if not reached and not facts.console:
        detail = f"nothing was printed in {gave_up_s:.1f} s"
        return _outcome(OutcomeKind.NO_OUTPUT, f"no-output{doing}{_because(why)}", detail + _quote(why), phase)
    if why is not None:
        return _outcome(OutcomeKind.HANG, f"after {phase}{doing}{_because(why)}", detail + _quote(why), phase)
    if part := strongest(found, Weight.FRAGMENT):
        reason = "a crash report without its first line"
        return _outcome(OutcomeKind.CORRUPTED, f"{reason}, in {phase}", f"{reason}; {detail}{_quote(part)}", phase)
    if words := last_words(facts.console):
        line, signature = words
        return _outcome(OutcomeKind.UNKNOWN, signature, f"no rule knows the last words: {line}; {detail}", phase)
    return _outcome(OutcomeKind.HANG, f"after {phase}{doing}", detail, phase)
