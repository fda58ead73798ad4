/* SPDX-License-Identifier: MIT */
/* Interrupts of every CPU: counted by vector, and waited for. */
#include "cpu.h"

#include "apic.h"
#include "clock.h"
#include "console.h"
#include "desc.h"
#include "i8042.h"
#include "processor.h"
#include "smp.h"
#include "vectors.h"

/* The alarm rings at least so often: 32 bits of timer ticks may hold no more. */
#define LONGEST_ALARM_US 1000000ull

struct probe_cpu probe_cpus[MAX_CPUS];

void probe_isr(const struct isr_frame *frame);

struct probe_cpu *this_probe_cpu(void)
{
	return &probe_cpus[smp_cpu()];
}

void probe_isr(const struct isr_frame *frame)
{
	if (frame->vector < FIRST_IRQ_VECTOR && frame->vector != NMI_VECTOR)
		bail_out("CPU %u: exception %lu at RIP 0x%lx error 0x%lx", apic_id(), frame->vector, frame->rip,
			 frame->error_code);
	this_probe_cpu()->irqs[frame->vector]++;
	if (frame->vector == VECTOR_KEYBOARD)
		i8042_take_byte();
	/* Neither an NMI nor a spurious interrupt is in service (AMD APM volume 2, 16.4.7). */
	if (frame->vector != NMI_VECTOR && frame->vector != VECTOR_SPURIOUS)
		apic_eoi();
}

void sleep_once(void)
{
	this_probe_cpu()->halts++;
	sti_hlt();
	cli();
}

void alarm_start(unsigned vector, u64 us)
{
	apic_timer_vector(vector);
	apic_timer_start(clock_tsc_to_apic_ticks(clock_us_to_tsc(us)));
}

void alarm_stop(void)
{
	apic_timer_start(0);
}

bool await_count_asleep(const u64 *counter, u64 target, u64 quiet_us)
{
	u64 seen = READ_ONCE(*counter), deadline = rdtsc() + clock_us_to_tsc(quiet_us);
	u64 ring_us = quiet_us < LONGEST_ALARM_US ? quiet_us : LONGEST_ALARM_US;
	const u64 *rings = &this_probe_cpu()->irqs[VECTOR_DEADLINE];

	cli();
	alarm_start(VECTOR_DEADLINE, ring_us);
	while (READ_ONCE(*counter) < target) {
		u64 rung = READ_ONCE(*rings);

		sleep_once();
		if (READ_ONCE(*counter) != seen) {
			seen = READ_ONCE(*counter);
			deadline = rdtsc() + clock_us_to_tsc(quiet_us);
		} else if (rdtsc() >= deadline) {
			break;
		}
		if (READ_ONCE(*rings) != rung)
			alarm_start(VECTOR_DEADLINE, ring_us);
	}
	alarm_stop();
	sti();
	return READ_ONCE(*counter) >= target;
}

bool await_count_awake(const u64 *counter, u64 target, u64 us)
{
	u64 end = rdtsc() + clock_us_to_tsc(us);

	while (READ_ONCE(*counter) < target) {
		if (rdtsc() > end)
			return false;
		pause();
	}
	return true;
}
