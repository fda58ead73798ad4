/* SPDX-License-Identifier: MIT */
#include "stimuli.h"

#include "backdoor.h"
#include "clock.h"
#include "ktap.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "step_vectors.h"
#include "svsm.h"

/* Acknowledgements that may fail to come before the sender gives up: a lost IPI must not cost a time-out each. */
#define LOST_ENOUGH 3
#define SETTLE_US 20000

static u64 quiet_us(void)
{
	return options.await_ms * 1000;
}

static bool spin_for_count(const u64 *counter, u64 target, u64 us)
{
	u64 end = rdtsc() + clock_us_to_tsc(us);

	while (READ_ONCE(*counter) < target) {
		if (rdtsc() > end)
			return false;
		pause();
	}
	return true;
}

static bool run_calls(const struct stimulus *stimulus)
{
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++)
		ok &= stimulus->query ? guest_query_protocol(SVSM_CORE_PROTOCOL, 1) : guest_vtpm_command(i);
	return ok;
}

static bool run_pvalidate(const struct stimulus *stimulus)
{
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++)
		ok &= guest_flip_page();
	return ok;
}

static bool call_model(u32 call, u64 rcx, u64 *result)
{
	struct svsm_registers registers = {.rax = SVSM_CALL(SVSM_MODEL_PROTOCOL, call), .rcx = rcx};
	bool ok = guest_svsm_call(&registers);

	*result = registers.rcx;
	return ok;
}

/* The guest's timer runs out in the middle of a call: the interrupt waits, and comes once when VMPL0 is left. */
static bool run_slow(const struct stimulus *stimulus)
{
	struct guest_cpu *self = this_guest_cpu();
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++) {
		u64 before = READ_ONCE(self->irqs[GUEST_VECTOR_TIMER]), unused;

		cli();
		guest_timer_start(1, stimulus->period_us / 2 + 1);
		ok &= call_model(SVSM_MODEL_SPIN, stimulus->period_us, &unused);
		ok &= READ_ONCE(self->irqs[GUEST_VECTOR_TIMER]) == before;
		sti();
		ok &= guest_await_count(&self->irqs[GUEST_VECTOR_TIMER], before + 1, quiet_us());
	}
	return ok;
}

/*
 * The timer is started again by the code between the calls, never by its handler: where the handler takes longer
 * than the period (nested virtualisation), interrupts would come back to back and no call would be made.
 */
static bool run_storm(const struct stimulus *stimulus)
{
	struct guest_cpu *self = this_guest_cpu();
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++) {
		if (!READ_ONCE(self->timer_left))
			guest_timer_start(1, stimulus->period_us);
		ok &= guest_vtpm_command(i);
	}
	guest_timer_stop();
	return ok;
}

static bool run_timer(const struct stimulus *stimulus)
{
	struct guest_cpu *self = this_guest_cpu();
	u64 target = READ_ONCE(self->irqs[GUEST_VECTOR_TIMER]) + stimulus->count;

	guest_timer_start(stimulus->count, stimulus->period_us);
	cli();
	while (READ_ONCE(self->timer_left)) {
		sti_hlt();
		cli();
	}
	sti();
	return READ_ONCE(self->irqs[GUEST_VECTOR_TIMER]) == target;
}

/*
 * VMPL0's own timer. planes-v1 switches to VMPL0 for it, which the guest can only see in VMPL0's counter; roy
 * keeps it until VMPL0 runs, which is the call that reads the counter.
 */
static bool run_vmpl0_timer(const struct stimulus *stimulus)
{
	unsigned cpu = this_vmpl_cpu()->cpu;
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++) {
		u64 before = svsm_irq_count(cpu, SVSM_VECTOR_TIMER), after;

		ok &= call_model(SVSM_MODEL_ARM_TIMER, stimulus->period_us, &after);
		clock_spin_us(stimulus->period_us);
		if (options.flavour == FLAVOUR_PLANES_V1)
			ok &= spin_for_count(&svsm_cpus[cpu].irqs[SVSM_VECTOR_TIMER], before + 1, quiet_us());
		ok &= call_model(SVSM_MODEL_READ_IRQS, SVSM_VECTOR_TIMER, &after) && after == before + 1;
	}
	return ok;
}

/* The boot CPU sends `count` IPIs to each other CPU, each awaited, so that none merges with the next in an IRR. */
static bool run_ipi(const struct stimulus *stimulus)
{
	unsigned first = cpu_count > 1 ? 1 : 0, lost = 0;
	u64 sent[MAX_CPUS] = {0}, start[MAX_CPUS];
	bool ok = true;

	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		start[cpu] = READ_ONCE(guest_cpus[cpu].irqs[GUEST_VECTOR_IPI]);
	for (u64 i = 0; i < stimulus->count && lost < LOST_ENOUGH; i++)
		for (unsigned cpu = first; cpu < cpu_count && lost < LOST_ENOUGH; cpu++) {
			const u64 *counter = &guest_cpus[cpu].irqs[GUEST_VECTOR_IPI];
			u64 before = READ_ONCE(*counter);

			guest_send_ipi(cpu, GUEST_VECTOR_IPI);
			sent[cpu]++;
			lost += !spin_for_count(counter, before + 1, quiet_us() / 5);
		}
	clock_spin_us(1000);
	for (unsigned cpu = first; cpu < cpu_count; cpu++) {
		u64 received = READ_ONCE(guest_cpus[cpu].irqs[GUEST_VECTOR_IPI]) - start[cpu];

		ktap_diagnostic("ipi vector=0x%x to=%u sent=%lu received=%lu\n", GUEST_VECTOR_IPI, cpu, sent[cpu],
				received);
		ok &= sent[cpu] == stimulus->count && received == sent[cpu];
	}
	return ok;
}

static bool run_keyboard(const struct stimulus *stimulus)
{
	u64 *counter = &guest_cpus[0].irqs[GUEST_VECTOR_KEYBOARD];
	u64 target = READ_ONCE(*counter) + stimulus->count;

	port_printf(CONSOLE, "svsm-harness: awaiting keyboard %lu\n", stimulus->count);
	guest_await_count(counter, target, quiet_us());
	/* One interrupt too many is as wrong as one too few: give it the time to come, between two keys. */
	spin_for_count(counter, target + 1, SETTLE_US);
	return READ_ONCE(*counter) == target;
}

static bool run_nmi(const struct stimulus *stimulus)
{
	u64 *counter = &guest_cpus[0].irqs[2];
	u64 start = READ_ONCE(*counter);

	/* Two NMIs that come together are one: each is asked for when the one before was taken. */
	for (u64 i = 1; i <= stimulus->count; i++) {
		port_printf(CONSOLE, "svsm-harness: awaiting nmi 1\n");
		/* Not asleep: CLI holds no NMI back, so one between the look and HLT would be slept through. */
		if (!spin_for_count(counter, start + i, quiet_us()))
			break;
	}
	clock_spin_us(1000);
	return READ_ONCE(*counter) == start + stimulus->count;
}

static bool run_idle(const struct stimulus *stimulus)
{
	static const u64 never;

	guest_await_count(&never, 1, stimulus->period_us);
	return true;
}

static bool run_restart(const struct stimulus *stimulus)
{
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++)
		ok &= guest_restart_ap(1);
	return ok;
}

static bool run_errors(const struct stimulus *stimulus)
{
	bool ok = true;

	for (u64 i = 0; i < stimulus->count; i++)
		ok &= guest_check_errors();
	return ok;
}

static bool (*const runners[STIMULI])(const struct stimulus *) = {
	[CALLS] = run_calls,
	[PVALIDATE] = run_pvalidate,
	[SLOW] = run_slow,
	[STORM] = run_storm,
	[TIMER] = run_timer,
	[VMPL0_TIMER] = run_vmpl0_timer,
	[IPI] = run_ipi,
	[KEYBOARD] = run_keyboard,
	[NMI] = run_nmi,
	[IDLE] = run_idle,
	[RESTART] = run_restart,
	[ERRORS] = run_errors,
};

bool stimulus_run(const struct stimulus *stimulus)
{
	return runners[stimulus->kind](stimulus);
}
