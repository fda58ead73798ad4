/* SPDX-License-Identifier: MIT */
/* The real local APIC of the CPU that runs us, in xAPIC mode: QEMU 7.2's TCG has no x2APIC. Host mode only. */
#ifndef APIC_H
#define APIC_H

#include "types.h"

/* Host vectors. */
enum {
	HOST_VECTOR_TIMER = 0x40,
	HOST_VECTOR_KICK = 0x41,
	HOST_VECTOR_KEYBOARD = 0x42,
	HOST_VECTOR_SPURIOUS = 0xff,
};

unsigned apic_id(void);
/* Enable the APIC of the calling CPU, timer stopped, LINT1 = NMI. */
void apic_enable(void);
void apic_eoi(void);
/*
 * Make the APIC look at its pending interrupts again. QEMU's TCG clears a bit of cpu->interrupt_request in #VMEXIT
 * without its lock (7.2, do_vmexit), so a request that another thread sets at that instant is lost; the interrupt
 * stays in the IRR and this write finds it.
 */
void apic_reassess(void);
/* Start every other CPU at page * 4096. */
void apic_send_init_sipi(unsigned page);
/* Start one CPU again, whatever it does. */
void apic_restart(unsigned cpu, unsigned page);
/* Send a fixed interrupt to one CPU, also to the own. */
void apic_send(unsigned cpu, unsigned vector);
void apic_kick(unsigned cpu);
/* Leaves the high half of the ICR alone, so an NMI handler may do it in the middle of apic_kick(). */
void apic_kick_self(void);
/* Choose what the timer interrupts with; apic_enable() sets HOST_VECTOR_TIMER. */
void apic_timer_vector(unsigned vector);
/* Start the one-shot timer; 0 stops it. */
void apic_timer_start(u32 ticks);
u32 apic_timer_left(void);

#endif
