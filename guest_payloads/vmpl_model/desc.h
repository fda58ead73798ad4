/* SPDX-License-Identifier: MIT */
/* Descriptor tables. One GDT for everybody; one IDT for each of monitor, SVSM and guest. */
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

/* What the stubs of isr.S leave on the stack, lowest address first. */
struct isr_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector, error_code;
	u64 rip, cs, rflags, rsp, ss;
};

#define NMI_VECTOR 2
#define FIRST_IRQ_VECTOR 32

extern struct idt_entry monitor_idt[256], svsm_idt[256], guest_idt[256];

void desc_init(void);
/* Load GDT, IDT and task register of the calling CPU for host mode. */
void desc_load(unsigned cpu);
struct descriptor_pointer desc_gdt(void);

#endif
