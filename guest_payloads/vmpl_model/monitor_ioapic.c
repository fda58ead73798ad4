/* SPDX-License-Identifier: MIT */
/* The emulated IOAPIC (Intel 82093AA datasheet, section 3), reached through GHCB MMIO exits. */
#include "ioapic.h"
#include "monitor.h"

static struct spinlock lock;
static u32 select;
static u64 redirection[IOAPIC_PINS];
static bool initialised;

static void reset_once(void)
{
	if (initialised)
		return;
	initialised = true;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		redirection[pin] = IOAPIC_REDIR_MASKED;
}

struct ioapic_route ioapic_route(unsigned pin)
{
	u64 bits;

	spin_lock(&lock);
	reset_once();
	bits = redirection[pin];
	spin_unlock(&lock);
	return (struct ioapic_route){
		.masked = bits & IOAPIC_REDIR_MASKED,
		.level = bits & IOAPIC_REDIR_LEVEL,
		.logical = bits & IOAPIC_REDIR_LOGICAL,
		.destination = bits >> 56,
		.mode = bits >> 8 & 7,
		.vector = bits & 0xff,
		.bits = bits,
	};
}

static bool access_register(bool write, u32 *value)
{
	u64 *entry;
	unsigned shift;

	if (select == IOAPIC_REG_VERSION && !write) {
		*value = (IOAPIC_PINS - 1) << 16 | 0x11;
		return true;
	}
	if (select < IOAPIC_REG_REDIR || select >= IOAPIC_REG_REDIR + 2 * IOAPIC_PINS)
		return false;
	entry = &redirection[(select - IOAPIC_REG_REDIR) / 2];
	shift = select & 1 ? 32 : 0;
	if (write)
		*entry = (*entry & ~(0xffffffffull << shift)) | (u64)*value << shift;
	else
		*value = *entry >> shift;
	return true;
}

bool ioapic_mmio(u64 gpa, u64 bytes, bool write, u32 *value)
{
	bool known = true;

	if (bytes != sizeof(*value))
		return false;
	spin_lock(&lock);
	reset_once();
	if (gpa == IOAPIC_BASE + IOAPIC_WINDOW)
		known = access_register(write, value);
	else if (gpa != IOAPIC_BASE + IOAPIC_SELECT)
		known = false;
	else if (write)
		select = *value;
	else
		*value = select;
	spin_unlock(&lock);
	return known;
}
