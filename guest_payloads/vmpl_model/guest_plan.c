/* SPDX-License-Identifier: MIT */
/* The plan: one step a stimulus, marked in trace and console, counted by the guest, reported as KTAP. */
#include "backdoor.h"
#include "faults.h"
#include "guest.h"
#include "ktap.h"
#include "options.h"
#include "plan.h"
#include "processor.h"
#include "smp.h"
#include "step_vectors.h"
#include "stimuli.h"

#define MAX_STEPS 64

static struct stimulus steps[MAX_STEPS];
static unsigned step_count;

/* What the boot CPU tells the others, and they it. `started` names the step they may look at. */
static const struct stimulus *shared_step;
static u64 called, started;
static unsigned ready, done;
static bool worker_failed;

struct counters {
	u64 irqs[256];
	u64 calls_made, calls_answered, calls_succeeded;
};

static struct counters before[MAX_CPUS];

/* `#2` for the second of a kind: a step's name must tell it from the others. */
static void number_repetition(unsigned index)
{
	size_t bytes = strlen(steps[index].name);
	unsigned earlier = 0;

	for (unsigned i = 0; i < index; i++)
		earlier += !memcmp(steps[i].name, steps[index].name, bytes) &&
			   (!steps[i].name[bytes] || steps[i].name[bytes] == '#');
	if (earlier)
		format_text(steps[index].name + bytes, 8, "#%u", earlier + 1);
}

void plan_parse(void)
{
	struct span rest = options.plan;

	while (rest.bytes) {
		struct span word = span_cut(&rest, ';');
		const char *reason;

		if (step_count == MAX_STEPS)
			bail_out("run= has more than %u stimuli", MAX_STEPS);
		reason = stimulus_parse(word, &steps[step_count]);
		if (reason)
			bail_out("run=, stimulus %u: %s", step_count + 1, reason);
		number_repetition(step_count++);
	}
}

static void take_counters(void)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const struct guest_cpu *guest = &guest_cpus[cpu];

		for (unsigned vector = 0; vector < 256; vector++)
			before[cpu].irqs[vector] = READ_ONCE(guest->irqs[vector]);
		before[cpu].calls_made = guest->calls_made;
		before[cpu].calls_answered = guest->calls_answered;
		before[cpu].calls_succeeded = guest->calls_succeeded;
	}
}

static void report_counters(const char *scope)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const struct guest_cpu *guest = &guest_cpus[cpu];
		u64 made = READ_ONCE(guest->calls_made) - before[cpu].calls_made;

		if (made)
			ktap_diagnostic("%scalls made=%lu answered=%lu succeeded=%lu cpu=%u\n", scope, made,
					guest->calls_answered - before[cpu].calls_answered,
					guest->calls_succeeded - before[cpu].calls_succeeded, cpu);
		for (unsigned vector = 0; vector < 256; vector++) {
			u64 count = READ_ONCE(guest->irqs[vector]) - before[cpu].irqs[vector];

			if (count)
				ktap_diagnostic("%sirq vector=0x%x cpu=%u count=%lu\n", scope, vector, cpu, count);
		}
	}
}

static void mark(const char *name, const char *edge)
{
	port_printf(CONSOLE, "svsm-harness: step %s %s\n", name, edge);
	mark_printf("step=%s %s", name, edge);
}

static bool takes_part(const struct stimulus *stimulus, unsigned cpu)
{
	return stimulus->cpu == EVERY_CPU || stimulus->cpu == cpu;
}

static void await_arrivals(unsigned *arrived, unsigned wanted)
{
	while (__atomic_load_n(arrived, __ATOMIC_ACQUIRE) != wanted)
		pause();
}

static unsigned call_workers(const struct stimulus *stimulus)
{
	unsigned workers = 0;

	__atomic_store_n(&ready, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&done, 0, __ATOMIC_RELAXED);
	WRITE_ONCE(worker_failed, false);
	WRITE_ONCE(shared_step, stimulus);
	__atomic_fetch_add(&called, 1, __ATOMIC_SEQ_CST);
	for (unsigned cpu = 1; cpu < cpu_count; cpu++)
		if (takes_part(stimulus, cpu)) {
			guest_send_ipi(cpu, GUEST_VECTOR_CONTROL);
			workers++;
		}
	await_arrivals(&ready, workers);
	return workers;
}

static void run_step(const struct stimulus *stimulus)
{
	unsigned workers;
	bool ok = true;

	if (fault_fires(FAULT_GUEST_PANIC))
		vmpl_panic(__FILE__, __LINE__, "vmpl_model fault guest-panic");
	if (fault_fires(FAULT_GUEST_SPIN))
		for (;;)
			;
	workers = call_workers(stimulus);
	take_counters();
	mark(stimulus->name, "begin");
	__atomic_store_n(&started, called, __ATOMIC_RELEASE);
	if (takes_part(stimulus, 0))
		ok = stimulus_run(stimulus);
	await_arrivals(&done, workers);
	mark(stimulus->name, "end");
	report_counters("");
	ktap_result(stimulus->name, ok && !READ_ONCE(worker_failed));
}

void guest_worker(struct guest_cpu *self)
{
	u64 seen, steps_done = READ_ONCE(self->irqs[GUEST_VECTOR_CONTROL]);

	for (;;) {
		const struct stimulus *stimulus;

		/* The step's own control interrupt must be over before the begin mark, so the interrupt is the call. */
		cli();
		if (READ_ONCE(self->irqs[GUEST_VECTOR_CONTROL]) == steps_done) {
			sti_hlt();
			continue;
		}
		sti();
		steps_done++;
		seen = __atomic_load_n(&called, __ATOMIC_SEQ_CST);
		stimulus = shared_step;
		__atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != seen)
			pause();
		if (!stimulus_run(stimulus))
			WRITE_ONCE(worker_failed, true);
		__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
	}
}

/* The first test line: protocols found, every CPU up, devices set. */
static void run_boot_step(void)
{
	bool ok;

	mark("boot", "begin");
	ok = guest_query_protocol(SVSM_CORE_PROTOCOL, 1);
	ok &= guest_query_protocol(SVSM_VTPM_PROTOCOL, 1);
	ok &= !guest_start_aps();
	guest_irq_enable_keyboard();
	sti();
	mark("boot", "end");
	ktap_diagnostic("boot vcpus=%u guest_vmpl=%u flavour=%s\n", cpu_count, options.guest_vmpl, flavour_name());
	report_counters("");
	ktap_result("boot", ok);
}

void guest_run_plan(void)
{
	ktap_begin(1 + step_count);
	run_boot_step();
	for (unsigned i = 0; i < step_count; i++)
		run_step(&steps[i]);
	memset(before, 0, sizeof(before));
	report_counters("total ");
	if (options.end == END_IDLE)
		backdoor(BACKDOOR_SUMMARISE, 0, NULL, 0);
	port_printf(CONSOLE, "svsm-harness: ready\n");
	if (options.end == END_EXIT)
		backdoor(BACKDOOR_LEAVE, ktap_failures() ? EXIT_FAILED : EXIT_PASSED, NULL, 0);
	for (;;)
		sti_hlt();
}
