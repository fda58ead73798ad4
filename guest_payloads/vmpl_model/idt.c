/* SPDX-License-Identifier: MIT */
#include "idt.h"

struct idt_entry svsm_idt[256], guest_idt[256];

/* isr.S */
extern char monitor_isr_stubs[], svsm_isr_stubs[], guest_isr_stubs[];

void idt_init(void)
{
	desc_init(monitor_isr_stubs);
	desc_fill_idt(svsm_idt, svsm_isr_stubs);
	desc_fill_idt(guest_idt, guest_isr_stubs);
}
