"""Know every way in which Linux reports that it is broken.

Sources: Linux kernel/panic.c panic() and __warn(), lib/bug.c, arch/x86/kernel/{dumpstack,traps}.c, arch/x86/mm/fault.c,
kernel/watchdog.c and watchdog_perf.c, kernel/rcu/tree_stall.h, kernel/hung_task.c, kernel/workqueue.c,
mm/kasan/report.c, lib/ubsan.c, kernel/kcsan/report.c, mm/kmsan/report.c, kernel/locking/lockdep.c, mm/oom_kill.c,
mm/page_alloc.c, kernel/irq/spurious.c, kernel/cpu.c, arch/x86/kernel/smpboot.c.

Order: "BUG: KIND" before "BUG: ", because the general row takes what the special ones left.
"""

from __future__ import annotations

from harness.classify.kinds import OutcomeKind
from harness.classify.rules import Rule, benign, fatal, fragment, note, serious

__all__ = ["FRAGMENTS", "RULES"]

_PANIC, _OOPS, _LOCKUP = OutcomeKind.GUEST_PANIC, OutcomeKind.GUEST_OOPS, OutcomeKind.GUEST_LOCKUP

# A panic that only ends what was reported before: arch/x86/kernel/dumpstack.c oops_end(), kernel/exit.c
# make_task_dead() and do_exit() (0x0b: SIGSEGV, which an oops in init is given), and the "panic on" settings.
_CONSEQUENCE = (
    r"not syncing: (?:Fatal exception|Aiee, killing interrupt handler"
    r"|Attempted to kill (?:the idle task|init! exitcode=0x0000000b)"
    r"|(?:[\w /:-]{1,40}: )?panic_on_warn set|softlockup: hung tasks|hung_task: blocked tasks|RCU Stall"
    r"|Hard LOCKUP|kernel: panic_on_oops)"
)
_SYMBOL = rb"(?P<frame>[A-Za-z_][\w.]{0,100})"

RULES: tuple[Rule, ...] = (
    # Printed behind the report as well ("---[ end Kernel panic - not syncing: … ]---"), which is the same line later.
    fatal(_PANIC, rb"Kernel panic - not syncing: ", consequence=_CONSEQUENCE),
    # arch/x86/kernel/head_64.S early_idt_handler, before there is a log; 0x1d is #VC.
    fatal(
        _PANIC,
        rb"PANIC: early exception ",
        rb"PANIC: early exception (?P<vector>0x[0-9a-f]{1,2})",
        "PANIC: early exception {vector}",
    ),
    # kernel/locking: these CPUs, tasks or pools make no progress.
    serious(_LOCKUP, rb"BUG: soft lockup - "),
    serious(_LOCKUP, rb"Watchdog detected hard LOCKUP on cpu"),
    serious(_LOCKUP, rb"BUG: workqueue lockup - ", rb"BUG: workqueue lockup", "BUG: workqueue lockup", frames=False),
    serious(_LOCKUP, rb"BUG: spinlock lockup suspected on "),
    serious(
        _LOCKUP,
        rb"INFO: rcu",
        rb"INFO: (?P<flavour>rcu\w{0,30}) (?P<what>(?:self-)?detected (?:expedited )?stalls?)",
        "rcu: {flavour} {what}",
    ),
    serious(
        _LOCKUP,
        rb"INFO: task ",
        rb"INFO: task (?P<task>[^\s:]{1,32})\S{0,20} (?P<what>blocked (?:in I/O wait )?for more than|is blocked on)",
        "hung task {task}",
    ),
    serious(
        _LOCKUP, rb"rcu_\w{1,20} kthread starved for ", rb"(?P<who>rcu_\w{1,20})", "{who} kthread starved", frames=False
    ),
    # Sanitizers: KIND in FUNCTION.
    serious(
        _OOPS,
        rb"BUG: KASAN: ",
        rb"BUG: KASAN: (?P<what>[^\n]{1,60}?) in " + _SYMBOL,
        "KASAN: {what}",
    ),
    # Functions in the order of their names, so that both ways round are one signature.
    serious(_OOPS, rb"BUG: KCSAN: ", rb"BUG: KCSAN: (?P<what>[^\n]{1,160})", "KCSAN: {what}", frames=False),
    serious(_OOPS, rb"BUG: KMSAN: ", rb"BUG: KMSAN: (?P<what>[^\n]{1,60}?) in " + _SYMBOL, "KMSAN: {what}"),
    serious(_OOPS, rb"BUG: KFENCE: ", rb"BUG: KFENCE: (?P<what>[^\n]{1,60}?) in " + _SYMBOL, "KFENCE: {what}"),
    # Memory: "BUG kmalloc-64 (Tainted: …): Redzone overwritten" is the slab allocator's.
    serious(
        _OOPS,
        rb"BUG (?!at )[a-zA-Z]",
        rb"BUG (?P<cache>[\w.-]{1,40}) \([^)\n]{1,60}\): (?P<what>[^\n]{1,80})",
        "slab {cache}: {what}",
    ),
    serious(_OOPS, rb"BUG: Bad page state in process ", rb"BUG: Bad page state", "BUG: Bad page state"),
    serious(_OOPS, rb"BUG: Bad page map in process ", rb"BUG: Bad page map", "BUG: Bad page map"),
    # Two spellings of each: before and since 5.0.
    serious(
        _OOPS,
        rb"BUG: unable to handle kernel NULL pointer dereference",
        rb"BUG: unable",
        "BUG: kernel NULL pointer dereference",
    ),
    serious(_OOPS, rb"BUG: unable to handle kernel paging request", rb"BUG: unable", "BUG: page fault"),
    serious(_OOPS, rb"BUG: unable to handle page fault", rb"BUG: unable", "BUG: page fault"),
    serious(_OOPS, rb"BUG: kernel NULL pointer dereference", rb"BUG: kernel", "BUG: kernel NULL pointer dereference"),
    serious(
        _OOPS,
        rb"BUG: TASK stack guard page was hit",
        rb"BUG: TASK",
        "BUG: stack guard page was hit",
    ),
    serious(_OOPS, rb"BUG: "),
    serious(_OOPS, rb"BUG at ", rb"BUG at (?P<where>[^\s!]{1,120})", "kernel BUG at {where}", lead=b"kernel "),
    # kernel/traps.c: the double fault handler says so on its own, too.
    serious(_OOPS, rb"PANIC: double fault", rb"PANIC: double fault", "double fault"),
    serious(_OOPS, rb"Oops: "),
    # "double fault: 0000 [#1] SMP": __die_header() without the word Oops, before 6.8.
    serious(
        _OOPS,
        rb": [0-9a-f]{4} \[#",
    ),
    # Locks, and a warning of any other kind. Not an end: a scenario that minds them says so (check `console`).
    note(rb"WARNING: possible ", rb"(?P<what>WARNING: possible [\w ]{1,60})", "{what}", frames=True),
    note(rb"WARNING: inconsistent lock state", frames=True),
    note(rb"WARNING: suspicious RCU usage", frames=True),
    note(rb"WARNING: bad unlock balance detected", frames=True),
    note(rb"WARNING: lock held when returning to user space", frames=True),
    note(rb"WARNING: Nested lock was not taken", frames=True),
    note(rb"WARNING: held lock freed", frames=True),
    note(
        rb"WARNING: ",
        # "CPU: 0 PID: 1 at FILE:LINE FUNC+…", since 6.18 "FILE:LINE at FUNC+…, CPU#0: NAME/1".
        rb"WARNING: (?:CPU: \d{1,5} PID: \d{1,9} at )?(?P<where>[\w./-]{1,120}:\d{1,6}) (?:at )?" + _SYMBOL + rb"\+0x",
        "WARNING at {where}",
        frames=True,
    ),
    note(rb"UBSAN: ", rb"(?P<what>UBSAN: [\w-]{1,40} in [^\s:]{1,120}:\d{1,6})", "{what}", frames=True),
    note(rb"Missing ENDBR: ", lead=b"traps: "),
    note(rb"MSR access error: ", rb"[^\n]{1,160}?\(" + _SYMBOL + rb"\+0x", "unchecked MSR access error", frames=True),
    # An AP that did not come up.
    note(rb"_boot_cpu failed\(", rb"_boot_cpu failed\(", "do_boot_cpu failed", lead=b"do"),
    note(rb"CPU[0-9]{1,4} failed to report alive state"),
    # Memory.
    note(
        rb"Out of memory: ",
        rb"Out of memory: [^\n]{0,40}?\d{1,9} \((?P<who>[^)\n]{1,32})\)",
        "out of memory: killed {who}",
    ),
    note(rb"Memory cgroup out of memory: ", rb"[^\n]{0,80}?\((?P<who>[^)\n]{1,32})\)", "cgroup out of memory: {who}"),
    note(rb": page allocation failure: "),
    # Interrupts and time.
    note(rb": nobody cared \(", rb": nobody cared", "irq: nobody cared"),
    note(rb"MP-BIOS bug: 8254 timer not connected"),
    note(rb"PM-Timer failed consistency check"),  # COCONUT-SVSM issue 656
    note(rb"ACPI Error: ", rb"(?P<what>ACPI Error: AE_\w{1,40})[^\n]{0,60}Mutex", "{what}, mutex"),
    benign(rb"ACPI Error: No handler[^\n]{0,200}"),
    # Disks.
    note(rb"I/O error, dev ", rb"(?P<what>I/O error, dev [a-z0-9]{1,16})", "{what}"),
    note(rb"EXT4-fs error "),
    note(rb"VFS: Cannot open root device"),
    note(rb"\[Hardware Error\]: "),
    # Linux's words about the firmware's or the hypervisor's tables, in every boot of such a machine.
    benign(rb"\[Firmware (?:Bug|Warn|Info)\]:[^\n]{0,300}"),
    benign(rb"DEBUG: [^\n]{0,300}"),
)

# Only inside a report, so its first line is missing. The last one is a header that was cut.
FRAGMENTS: tuple[Rule, ...] = (
    fragment(rb"RIP: 0010:"),
    fragment(rb"Call Trace:"),
    fragment(rb"---\[ end (?:trace|Kernel panic)"),
    fragment(rb"---BACKTRACE---"),
    fragment(rb"Kernel panic - "),
    fragment(rb"Modules linked in:"),
    fragment(rb"Code: (?:[0-9a-f]{2} ){4}"),
)
