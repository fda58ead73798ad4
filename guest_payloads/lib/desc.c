/* SPDX-License-Identifier: MIT */
#include "desc.h"

#define IDT_INTERRUPT_GATE 0x8e00	/* present, DPL 0, type Eh: AMD APM volume 2, 4.8.4 */
#define TSS_BYTES 104
#define TSS_BUSY (2ull << 40)	/* 4.8.3 */

static struct idt_entry host_idt[256];

static u64 gdt[4 + 2 * MAX_CPUS] = {
	0,
	0x00cf9b000000ffff,
	0x00af9b000000ffff,
	0x00cf93000000ffff,
};
static u8 tss[MAX_CPUS][TSS_BYTES];

void desc_fill_idt(struct idt_entry *idt, const char *stubs)
{
	for (unsigned vector = 0; vector < 256; vector++) {
		u64 entry = (u64)stubs + 16 * vector;

		idt[vector] = (struct idt_entry){
			.offset_low = entry,
			.selector = SELECTOR_CODE64,
			.flags = IDT_INTERRUPT_GATE,
			.offset_middle = entry >> 16,
			.offset_high = entry >> 32,
		};
	}
}

void desc_init(const char *host_stubs)
{
	desc_fill_idt(host_idt, host_stubs);
	for (unsigned cpu = 0; cpu < MAX_CPUS; cpu++) {
		u64 base = (u64)tss[cpu];

		/* Available 64-bit TSS: AMD APM volume 2, 4.8.3. */
		gdt[4 + 2 * cpu] = (TSS_BYTES - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
		gdt[5 + 2 * cpu] = base >> 32;
	}
}

struct descriptor_pointer desc_gdt(void)
{
	return (struct descriptor_pointer){sizeof(gdt) - 1, (u64)gdt};
}

void desc_load(unsigned cpu)
{
	struct descriptor_pointer gdt_pointer = desc_gdt();
	struct descriptor_pointer idt_pointer = {sizeof(host_idt) - 1, (u64)host_idt};

	/* LTR refuses a task segment that is busy, which it is when a CPU is started again. */
	gdt[4 + 2 * cpu] &= ~TSS_BUSY;
	__asm__ volatile("lgdt %0" ::"m"(gdt_pointer));
	__asm__ volatile("lidt %0" ::"m"(idt_pointer));
	__asm__ volatile("ltr %w0" ::"r"(SELECTOR_TSS + 16 * cpu));
}
