/* SPDX-License-Identifier: MIT */
/* Descriptor tables. One GDT for everybody; a payload with several parts has an IDT for each. */
#ifndef DESC_H
#define DESC_H

#include "layout.h"
#include "types.h"

struct descriptor_pointer {
	u16 limit;
	u64 base;
} __packed;

struct idt_entry {
	u16 offset_low;
	u16 selector;
	u16 flags;
	u16 offset_middle;
	u32 offset_high;
	u32 reserved;
} __packed;

/* What the stubs of isr_table.h leave on the stack, lowest address first. */
struct isr_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error_code;
	u64 rip, cs, rflags, rsp, ss;
};

#define NMI_VECTOR 2
#define FIRST_IRQ_VECTOR 32

/* Fill an IDT from a table of stubs (isr_table.h): stub n is at stubs + 16 * n. */
void desc_fill_idt(struct idt_entry *idt, const char *stubs);
/* Prepare the GDT, the task segments, and the IDT of host mode from its stubs. */
void desc_init(const char *host_stubs);
/* Load GDT, IDT and task register of the calling CPU for host mode. */
void desc_load(unsigned cpu);
struct descriptor_pointer desc_gdt(void);

#endif
