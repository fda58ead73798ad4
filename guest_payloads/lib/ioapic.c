/* SPDX-License-Identifier: MIT */
#include "ioapic.h"

#include "processor.h"

#define PIC_MASTER_MASK 0x21
#define PIC_SLAVE_MASK 0xa1

static void write_register(unsigned reg, u32 value)
{
	*(volatile u32 *)(IOAPIC_BASE + IOAPIC_SELECT) = reg;
	*(volatile u32 *)(IOAPIC_BASE + IOAPIC_WINDOW) = value;
}

void pic_mask_all(void)
{
	outb(PIC_MASTER_MASK, 0xff);
	outb(PIC_SLAVE_MASK, 0xff);
}

void ioapic_set_route(unsigned pin, unsigned vector, unsigned cpu)
{
	write_register(IOAPIC_REG_REDIR + 2 * pin + 1, cpu << 24);
	write_register(IOAPIC_REG_REDIR + 2 * pin, vector);
}

void ioapic_mask(unsigned pin)
{
	write_register(IOAPIC_REG_REDIR + 2 * pin, IOAPIC_REDIR_MASKED);
}
