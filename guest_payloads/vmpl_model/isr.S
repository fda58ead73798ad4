/* SPDX-License-Identifier: MIT */
/* One table of interrupt stubs for each part: their IDTs differ. */
#include "isr_table.h"

	isr_table monitor
	isr_table svsm
	isr_table guest

	.section .note.GNU-stack, "", @progbits
