/* SPDX-License-Identifier: MIT */
/* Time: one TSC axis for every CPU and every VMPL. */
#ifndef CLOCK_H
#define CLOCK_H

#include "types.h"

extern u64 tsc_khz;

/* Measure the TSC and the APIC timer against the PIT; takes 3 ms. */
void clock_init(void);
u64 clock_us_to_tsc(u64 us);
u64 clock_tsc_to_us(u64 tsc);
/* Convert a TSC distance into ticks of the host's APIC timer; at least 1, cut at 32 bits. */
u32 clock_tsc_to_apic_ticks(u64 tsc);
void clock_spin_us(u64 us);

#endif
