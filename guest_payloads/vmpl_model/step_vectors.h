/* SPDX-License-Identifier: MIT */
/* Vectors of the guest and of the SVSM. */
#ifndef STEP_VECTORS_H
#define STEP_VECTORS_H

enum {
	GUEST_VECTOR_TIMER = 0x30,	/* the timer that a stimulus counts */
	GUEST_VECTOR_KEYBOARD = 0x31,
	GUEST_VECTOR_DEADLINE = 0x32,	/* the same APIC timer, as the plan's own alarm clock */
	GUEST_VECTOR_IPI = 0x41,
	/* Wakes a CPU for a step, always before the step's begin mark. Faults leave it alone, so that they hit the
	 * stimulus and not the plan. */
	GUEST_VECTOR_CONTROL = 0xf0,
	SVSM_VECTOR_TIMER = 0x50,
	SVSM_VECTOR_KEYBOARD = 0x51,
};

#endif
