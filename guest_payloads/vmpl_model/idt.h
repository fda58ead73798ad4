/* SPDX-License-Identifier: MIT */
/* The interrupt descriptor tables of the three parts. The monitor's is that of host mode (desc.h). */
#ifndef IDT_H
#define IDT_H

#include "desc.h"

extern struct idt_entry svsm_idt[256], guest_idt[256];

/* Fill all three. */
void idt_init(void);

#endif
