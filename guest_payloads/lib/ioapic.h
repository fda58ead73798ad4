/* SPDX-License-Identifier: MIT */
/* IOAPIC registers (Intel 82093AA datasheet, section 3), and the real one: host mode only. */
#ifndef IOAPIC_H
#define IOAPIC_H

#include "types.h"

#define IOAPIC_BASE 0xfec00000ull
#define IOAPIC_SELECT 0x00
#define IOAPIC_WINDOW 0x10
#define IOAPIC_REG_VERSION 0x01
#define IOAPIC_REG_REDIR 0x10
#define IOAPIC_PINS 24
#define IOAPIC_REDIR_LOGICAL (1ull << 11)
#define IOAPIC_REDIR_LEVEL (1ull << 15)
#define IOAPIC_REDIR_MASKED (1ull << 16)

#define KEYBOARD_GSI 1

void pic_mask_all(void);
/* Send pin `pin`, edge, to a vector of one CPU. */
void ioapic_set_route(unsigned pin, unsigned vector, unsigned cpu);
void ioapic_mask(unsigned pin);

#endif
