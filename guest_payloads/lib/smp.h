/* SPDX-License-Identifier: MIT */
/* Start every CPU in host mode. APIC ids must be 0 … n-1, so that CPU number, vCPU number and APIC id are one. */
#ifndef SMP_H
#define SMP_H

#include "types.h"

extern unsigned cpu_count;

/* Make `cpu` what smp_cpu() answers on the calling CPU. */
void smp_set_cpu(unsigned cpu);
/* Number of the calling CPU; host mode only. */
unsigned smp_cpu(void);
/* Start the other CPUs in `run(cpu)`; returns when all are there. */
void smp_start(void (*run)(unsigned cpu));
/* Start one CPU again, in the `run` of smp_start(); false when it did not come in 10 s. */
bool smp_restart(unsigned cpu);

#endif
