/* SPDX-License-Identifier: MIT */
#include "stimuli.h"

#include "apic.h"
#include "clock.h"
#include "cpu.h"
#include "edu.h"
#include "hypercall.h"
#include "i8042.h"
#include "ktap.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "vectors.h"

/* Interrupts that may fail to come before the sender gives up: a lost one must not cost a time-out each. */
#define LOST_ENOUGH 3
/* One interrupt too many is as wrong as one too few: the time that it is given to come. */
#define SETTLE_US 20000
/* From the sleeper's word that it will sleep to its HLT, generously; an interrupt before that wakes it as well. */
#define FALL_ASLEEP_US 200

/* wakes: how often the sleeper has said that it goes to sleep. */
static u64 asleep;

static u64 quiet_us(void)
{
	return options.await_ms * 1000;
}

static bool run_hypercalls(const struct stimulus *stimulus)
{
	struct probe_cpu *self = this_probe_cpu();
	u64 answered = self->hypercalls_answered;

	for (u64 i = 0; i < stimulus->count; i++) {
		self->hypercalls_made++;
		self->hypercalls_answered += hypercall(stimulus->number, i, 0, 0, 0) == -KVM_ENOSYS;
	}
	return self->hypercalls_answered - answered == stimulus->count;
}

static bool run_ports(const struct stimulus *stimulus)
{
	struct probe_cpu *self = this_probe_cpu();

	for (u64 i = 0; i < stimulus->count; i++) {
		outb(stimulus->number, i);
		self->port_writes++;
	}
	return true;
}

/* STI's shadow ends with HLT, so an alarm that rang before it ends the sleep at once, and is not slept through. */
static bool run_halts(const struct stimulus *stimulus)
{
	const u64 *rings = &this_probe_cpu()->irqs[VECTOR_TIMER];
	u64 start = READ_ONCE(*rings);

	cli();
	for (u64 i = 0; i < stimulus->count; i++) {
		alarm_start(VECTOR_TIMER, stimulus->number);
		while (READ_ONCE(*rings) == start + i)
			sleep_once();
	}
	sti();
	return READ_ONCE(*rings) == start + stimulus->count;
}

static bool sleep_until_woken(u64 count)
{
	const u64 *wakes = &this_probe_cpu()->irqs[VECTOR_WAKE];
	u64 start = READ_ONCE(*wakes);

	cli();
	for (u64 i = 0; i < count; i++) {
		__atomic_store_n(&asleep, i + 1, __ATOMIC_RELEASE);
		while (READ_ONCE(*wakes) == start + i)
			sleep_once();
	}
	sti();
	return true;
}

static bool run_wakes(const struct stimulus *stimulus)
{
	bool ok = true;

	if (smp_cpu() == stimulus->cpu)
		return sleep_until_woken(stimulus->count);
	for (u64 i = 0; i < stimulus->count && ok; i++) {
		ok = await_count_awake(&asleep, i + 1, quiet_us());
		clock_spin_us(FALL_ASLEEP_US);
		apic_send(stimulus->cpu, VECTOR_WAKE);
	}
	__atomic_store_n(&asleep, 0, __ATOMIC_RELEASE);
	return ok;
}

/* Raise `count` interrupts, each awaited, so that none merges with the next in an IRR. */
static bool raise_awaited(const struct stimulus *stimulus, const char *label, unsigned vector, void (*raise)(unsigned cpu))
{
	const u64 *counter = &probe_cpus[stimulus->cpu].irqs[vector];
	u64 start = READ_ONCE(*counter), sent = 0, received;
	unsigned lost = 0;

	for (u64 i = 0; i < stimulus->count && lost < LOST_ENOUGH; i++) {
		u64 before = READ_ONCE(*counter);

		raise(stimulus->cpu);
		sent++;
		lost += !await_count_awake(counter, before + 1, quiet_us() / 5);
	}
	clock_spin_us(SETTLE_US);
	received = READ_ONCE(*counter) - start;
	ktap_diagnostic("%s vector=0x%x to=%u sent=%lu received=%lu\n", label, vector, stimulus->cpu, sent, received);
	return sent == stimulus->count && received == sent;
}

static void raise_ipi(unsigned cpu)
{
	apic_send(cpu, VECTOR_IPI);
}

static bool run_ipis(const struct stimulus *stimulus)
{
	return raise_awaited(stimulus, "ipi", VECTOR_IPI, raise_ipi);
}

static void raise_msi(unsigned cpu)
{
	(void)cpu;	/* edu_route() chose it */
	edu_raise();
}

static bool run_msis(const struct stimulus *stimulus)
{
	bool ok;

	edu_route(stimulus->cpu, VECTOR_MSI);
	ok = raise_awaited(stimulus, "msi", VECTOR_MSI, raise_msi);
	edu_disable();
	return ok;
}

static bool run_keyboard(const struct stimulus *stimulus)
{
	const u64 *counter = &this_probe_cpu()->irqs[VECTOR_KEYBOARD];
	u64 target = READ_ONCE(*counter) + stimulus->count;

	cli();
	i8042_enable_keyboard(VECTOR_KEYBOARD, smp_cpu());
	console_printf("svsm-harness: awaiting keyboard %lu\n", stimulus->count);
	await_count_asleep(counter, target, quiet_us());
	await_count_asleep(counter, target + 1, SETTLE_US);
	i8042_disable_keyboard();
	return READ_ONCE(*counter) == target;
}

static bool run_restarts(const struct stimulus *stimulus)
{
	bool ok = true;

	for (u64 i = 0; i < stimulus->count && ok; i++)
		ok = smp_restart(stimulus->cpu);
	return ok;
}

static const struct {
	bool (*run)(const struct stimulus *);
	bool boot_cpu;	/* CPU 0 does it to stimulus->cpu */
	bool target;	/* stimulus->cpu does it, or has a part in it */
} runners[STIMULI] = {
	[HYPERCALLS] = {run_hypercalls, false, true},
	[PORTS] = {run_ports, false, true},
	[HALTS] = {run_halts, false, true},
	[WAKES] = {run_wakes, true, true},
	[IPIS] = {run_ipis, true, false},
	[MSIS] = {run_msis, true, false},
	[KEYBOARD] = {run_keyboard, false, true},
	[RESTARTS] = {run_restarts, true, false},
};

bool stimulus_needs(const struct stimulus *stimulus, unsigned cpu)
{
	if (stimulus->cpu == EVERY_CPU)
		return true;
	return (runners[stimulus->kind].boot_cpu && !cpu) || (runners[stimulus->kind].target && cpu == stimulus->cpu);
}

bool stimulus_run(const struct stimulus *stimulus)
{
	return runners[stimulus->kind].run(stimulus);
}
