/* SPDX-License-Identifier: MIT */
/* What code at any VMPL needs: its own per-CPU data and the GHCB. */
#ifndef VMPL_H
#define VMPL_H

#include "ghcb.h"

/* Begins the per-CPU data of SVSM and guest; GS points at it. */
struct vmpl_cpu {
	struct vmpl_cpu *self;
	unsigned cpu;
	unsigned vmpl;
	struct ghcb *ghcb;
};

static inline struct vmpl_cpu *this_vmpl_cpu(void)
{
	struct vmpl_cpu *self;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(self));
	return self;
}

/* Everything below needs interrupts off: one GHCB a CPU. */

/* Do an MSR-protocol request and return the response; leaves the GHCB MSR as the response. */
u64 ghcb_msr_call(u64 request);
void ghcb_register(struct vmpl_cpu *cpu);
/* Start an event; set further fields with GHCB_SET, then call ghcb_call(). */
struct ghcb *ghcb_begin(u64 exit_code, u64 info_1, u64 info_2);
/* Return 0, or SW_EXITINFO1 << 32 | SW_EXITINFO2 when the hypervisor reports an error or exception. */
u64 ghcb_call(void);
__noreturn void ghcb_terminate(unsigned reason_set, unsigned reason);

/* Devices by GHCB events. An error ends in the panic of the VMPL that asked, so these return none. */
void x2apic_write(u32 msr, u64 value);
void x2apic_enable(void);
void ioapic_emulated_write(unsigned reg, u32 value);
u8 ghcb_inb(u16 port);
void ghcb_outb(u16 port, u8 value);
/* Return what ghcb_call() returned. */
u64 ghcb_ap_creation(unsigned request, unsigned vmpl, unsigned apic_id, const void *vmsa);

/* The panic of the calling VMPL. */
__noreturn void vmpl_panic(const char *file, unsigned line, const char *format, ...) __printf(3, 4);

#endif
