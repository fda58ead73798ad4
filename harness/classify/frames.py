"""Name the function that a kernel developer would name: the first one of a report that is not only the messenger.

A report of Linux has "RIP: 0010:FUNC+0x1a/0x50" and "Call Trace:" with a frame a line (arch/x86/kernel/dumpstack.c
show_trace_log_lvl(), printk_stack_address()): "? " before a frame says that the unwinder does not vouch for it.
"""

from __future__ import annotations

import re

__all__ = ["culprit", "is_messenger"]

_SUFFIX = re.compile(r"\.(?:isra|constprop|part|cold|llvm)\b.*|\.\d+$")
_SYMBOL = rb"([A-Za-z_][\w.]{0,100})\+0x[0-9a-f]{1,8}(?:/0x[0-9a-f]{1,8})?"
# Code segment 0x10 is the kernel's (__KERNEL_CS); 0x33 is a program's.
_RIP = re.compile(rb"RIP: 0010:(?:\[<[0-9a-f]{8,16}>\] {1,2}){0,2}" + _SYMBOL)
# Also before 4.9: "[<ffffffff81012345>] func+0x1/0x2". A frame stands alone on its line.
_FRAME = re.compile(
    rb"^(?:<\d>)?(?:\[ {0,8}\d{1,8}\.\d{1,9}\])?(?:\[ {0,6}[TC]\d{1,9}\])? {0,8}"
    rb"(?:\[<[0-9a-f]{8,16}>\] )?(\? )?" + _SYMBOL + rb"(?: \[[\w ]{1,60}\])? *$"
)
_CALLER = re.compile(rb"^(?:<\d>)?\[ {0,8}\d{1,8}\.\d{1,9}\]\[ {0,6}([TC]\d{1,9})\]")
_LOCK = re.compile(rb"\}, at: " + _SYMBOL)
# What ends a report; the next one is somebody else's.
_END = re.compile(rb"---\[ end |^(?:\[[^\]\n]{1,20}\])? ?={20,}", re.MULTILINE)
_MAX_LINES = 160

# They print, trap, warn or check; nobody's fault is ever here.
_REPORTING = re.compile(
    r"_*(?:dump_stack|show_stack|show_regs|show_trace|panic|warn_slowpath|warn$|report_bug|handle_bug|bust_spinlocks"
    r"|print_|bad_page|kasan|asan|kcsan|tsan|ubsan|kmsan|msan|handle_overflow|die$|die_|oops_|do_trap|do_error_trap|exc_|asm_"
    r"|sysvec_|error_entry|page_fault|general_protection|no_context|bad_area|do_user_addr_fault|do_kern_addr_fault"
    r"|do_page_fault|fixup_exception|notifier_call|atomic_notifier|notify_die|nmi_|do_nmi|end_repeat_nmi|arch_trigger"
    r"|trigger_.*backtrace|rcu_check_gp|rcu_dump|rcu_sched_clock|rcu_pending|check_cpu_stall|print_cpu_stall"
    r"|update_process_times|tick_(?:nohz|sched|handle|periodic|irq)|hrtimer_|run_timer|local_apic_timer|smp_apic_timer"
    r"|apic_timer_interrupt|ret_from_intr|watchdog_|is_softlockup|debug_show|lockdep_|lock_acquire|lock_release"
    r"|validate_chain|check_(?:prev|noncircular|deadlock|usage|irq)|mark_lock|register_lock|might_sleep|might_resched"
    r"|schedule_bug|schedule_debug|sched_show_task|refcount_warn|refcount_error|list_(?:add|del)_valid|fortify_panic"
    r"|object_err|slab_err|slab_bug|check_bytes|check_object|slab_fix|free_debug|alloc_debug|stack_chk_fail|vc_raw"
    r"|kernel_exc_vmm|user_exc_vmm|vc_from|pfx_|report_rtnl|check_flush|early_fixup|early_idt|do_early_exception)\w*"
)
# Everybody calls them: the caller is named, unless there is nothing else.
_GENERIC = re.compile(
    r"_*(?:mem(?:cpy|set|move|cmp|chr|cpy_orig|cpy_erms|set_erms|set_orig|move_erms)|rep_movs\w*|rep_stos\w*|str\w+|csum_partial\w*"
    r"|copy_(?:from|to)_user\w*|copy_user\w*|clear_(?:page|user)\w*|copy_page\w*|schedule\w*|preempt_schedule\w*"
    r"|wait_for_common|wait_for_completion\w*|io_schedule\w*|cond_resched\w*|mutex_lock\w*|mutex_unlock\w*|mutex_spin\w*"
    r"|down(?:_read|_write|_common|_interruptible|_killable|_timeout)?\w*|rwsem_\w+|rt_mutex\w*|raw_spin\w*|spin_lock\w*"
    r"|do_raw_spin\w*|native_queued_spin\w*|queued_(?:spin|read|write)\w*|pv_queued\w*|osq_lock|read_lock\w*|write_lock\w*"
    r"|native_(?:safe_halt|halt|save_fl|restore_fl|irq_enable|read_msr|write_msr)\w*|default_idle\w*|arch_cpu_idle"
    r"|list_(?:add|del)(?:_tail|_rcu)?|cpuidle_\w+|cpu_startup_entry|do_idle|start_secondary\w*|secondary_startup\w*|pv_native_safe_halt"
    r"|smp_call_function\w*|on_each_cpu\w*|csd_lock\w*|delay_\w+|const_udelay|udelay|ndelay|rcu_read\w*|bit_wait\w*"
    r"|wait_on_bit\w*|out_of_line_wait\w*|folio_wait\w*|kfree\w*|free_unref\w*|free_pages\w*|free_to_partial_list|deactivate_slab|kmem_cache_(?:free|alloc)\w*|kmalloc\w*|slab_\w+|cache_\w+"
    r"|x64_sys_\w+|do_syscall\w*|entry_SYSCALL\w*|ret_from_fork\w*|kthread|worker_thread|irqentry\w*|irq_exit\w*|softirq\w*"
    r"|do_softirq\w*|handle_softirqs|call_on_stack|rest_init|x86_64_start\w*)$"
)


def is_messenger(name: str) -> bool:
    """Tell whether a function only reports, or is one that everybody calls."""
    return bool(_REPORTING.match(name) or _GENERIC.match(name))


def culprit(body: bytes, named: str | None = None) -> str | None:
    """Return the function to name; None if the report, which begins where ``body`` does, has none.

    ``named`` is the function that the header itself gives; it comes first. Lines of other callers are left out where
    the kernel says who printed (CONFIG_PRINTK_CALLER).
    """
    names = [] if named is None else [named]
    names += _names(body)
    seen = [_SUFFIX.sub("", name) for name in names]
    by_nobody_else = [name for name in seen if not _REPORTING.match(name)]
    first = next((name for name in by_nobody_else if not _GENERIC.match(name)), None)
    return first or (by_nobody_else[0] if by_nobody_else else None)


def _names(body: bytes) -> list[str]:
    end = _END.search(body, 1)
    lines = body[: end.start() if end else len(body)].split(b"\n")[:_MAX_LINES]
    caller = _CALLER.match(lines[0])
    found: list[str] = []
    lock: list[str] = []
    rip: list[str] = []
    for line in lines:
        if caller and (other := _CALLER.match(line)) and other.group(1) != caller.group(1):
            continue
        if match := _RIP.search(line):
            # A later one is of another context of the same CPU.
            rip = rip or [match.group(1).decode()]
        elif (match := _FRAME.match(line)) and not match.group(1):
            found.append(match.group(2).decode())
        elif match := _LOCK.search(line):
            # lockdep: the first lock is the one that is being acquired.
            lock = lock or [match.group(1).decode()]
    return lock + rip + found
