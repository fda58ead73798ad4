/* SPDX-License-Identifier: MIT */
/* One vector for each source, so that counts by vector tell the sources apart. */
#ifndef VECTORS_H
#define VECTORS_H

enum {
	VECTOR_TIMER = 0x30,	/* halts: the own timer that ends a sleep */
	VECTOR_KEYBOARD = 0x31,
	VECTOR_DEADLINE = 0x32,	/* the same timer, as the alarm clock of somebody who waits */
	VECTOR_IPI = 0x41,
	VECTOR_WAKE = 0x42,	/* wakes: the IPI that ends a sleep */
	VECTOR_MSI = 0x51,
	VECTOR_CONTROL = 0xf0,	/* calls a CPU to a step, and CPU 0 back at its end */
	VECTOR_SPURIOUS = 0xff,	/* HOST_VECTOR_SPURIOUS of apic.h */
};

#endif
