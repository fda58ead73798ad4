/* SPDX-License-Identifier: MIT */
/* The guest: options.guest_vmpl, in the part of firmware and kernel. */
#ifndef GUEST_H
#define GUEST_H

#include "idt.h"
#include "svsm_protocol.h"
#include "vmpl.h"
#include "vmsa.h"

struct guest_cpu {
	struct vmpl_cpu base;
	bool online;
	struct svsm_ca *ca;
	/* What the guest counts itself: the second witness beside the trace. */
	u64 irqs[256];
	u64 calls_made;		/* Run-VMPL requests for a call */
	u64 calls_answered;	/* of them: the SVSM had taken the call when the guest ran again */
	u64 calls_succeeded;	/* of them: with result SVSM_SUCCESS */
	/* The timer that a stimulus counts. */
	u64 timer_left;
	u64 timer_period_us;
};

extern struct guest_cpu guest_cpus[MAX_CPUS];

static inline struct guest_cpu *this_guest_cpu(void)
{
	return (struct guest_cpu *)this_vmpl_cpu();
}

/* guest_boot.c */
struct vmsa *guest_boot_vmsa(void);
struct svsm_ca *guest_boot_ca(void);
/* Bring up this guest's other CPUs through the SVSM; counts what failed. */
unsigned guest_start_aps(void);
/* Take a CPU down and up again: DELETE_VCPU, CREATE_VCPU and AP creation. The CPU must sleep. */
bool guest_restart_ap(unsigned cpu);

/* guest_calls.c */
struct svsm_registers {
	u64 rax, rcx, rdx, r8, r9;
};
/* Call the SVSM; true when it answered with success. RAX is set to SVSM_CALL() before. */
bool guest_svsm_call(struct svsm_registers *registers);
bool guest_query_protocol(u32 protocol, u32 version);
bool guest_vtpm_command(u64 number);
/* Make the CPU's scratch page shared and private again: two PVALIDATE calls and two page state changes. */
bool guest_flip_page(void);

/* guest_errors.c */
/* Make every wrong request once; false, with a diagnostic for each, where the answer is not the architected one. */
bool guest_check_errors(void);

/* guest_irq.c */
void guest_irq_enable_keyboard(void);
/* Start `count` one-shot timer interrupts, one every `period_us`. */
void guest_timer_start(u64 count, u64 period_us);
void guest_timer_stop(void);
void guest_send_ipi(unsigned cpu, unsigned vector);
/*
 * Sleep until `*counter` is at least `target`; false when nothing came for `quiet_us`. Uses this CPU's timer with
 * GUEST_VECTOR_DEADLINE.
 */
bool guest_await_count(const u64 *counter, u64 target, u64 quiet_us);

/* guest_plan.c */
void guest_run_plan(void);
__noreturn void guest_worker(struct guest_cpu *cpu);

#endif
