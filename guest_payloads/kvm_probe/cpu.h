/* SPDX-License-Identifier: MIT */
/* What each CPU counts itself: the second witness beside the host's trace. */
#ifndef CPU_H
#define CPU_H

#include "types.h"

struct probe_cpu {
	u64 irqs[256];
	u64 hypercalls_made;
	u64 hypercalls_answered; /* of them: with -KVM_ENOSYS, KVM's answer to a number that it does not know */
	u64 port_writes;
	u64 halts;
};

extern struct probe_cpu probe_cpus[MAX_CPUS];

/* Counters of the calling CPU. */
struct probe_cpu *this_probe_cpu(void);
/* Sleep until the next interrupt, and count it. Interrupts are off before and after. */
void sleep_once(void);
/* Start the calling CPU's one-shot timer. */
void alarm_start(unsigned vector, u64 us);
void alarm_stop(void);
/*
 * Sleep until `*counter` is at least `target`, which interrupts of the calling CPU count; false when nothing came for
 * `quiet_us`. Uses the timer with VECTOR_DEADLINE.
 */
bool await_count_asleep(const u64 *counter, u64 target, u64 quiet_us);
/* The same awake, for counters of any CPU. */
bool await_count_awake(const u64 *counter, u64 target, u64 us);

#endif
