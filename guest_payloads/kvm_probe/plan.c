/* SPDX-License-Identifier: MIT */
/* The plan: one step a stimulus, marked in the host's trace and on the console, counted here, reported as KTAP. */
#include "plan.h"

#include "apic.h"
#include "cpu.h"
#include "hypercall.h"
#include "ktap.h"
#include "mark.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "stimuli.h"
#include "vectors.h"

#define MAX_STEPS 64

static struct stimulus steps[MAX_STEPS];
static unsigned step_count;

/* What CPU 0 tells the others, and they it: `started` and `ended` name the step that they may begin, and leave. */
static const struct stimulus *shared_step;
static u64 called, started, ended;
static unsigned ready, done;
static bool worker_failed;

static struct probe_cpu before[MAX_CPUS];

/* `#2` for the second of a kind: a step's name must tell it from the others. */
static void number_repetition(unsigned index)
{
	size_t bytes = strlen(steps[index].name);
	unsigned earlier = 0;

	for (unsigned i = 0; i < index; i++)
		earlier += !memcmp(steps[i].name, steps[index].name, bytes) &&
			   (!steps[i].name[bytes] || steps[i].name[bytes] == '#');
	if (earlier)
		format_text(steps[index].name + bytes, sizeof(steps[index].name) - bytes, "#%u", earlier + 1);
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
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		memcpy(&before[cpu], &probe_cpus[cpu], sizeof(before[cpu]));
}

static void report_counters(const char *scope)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		const struct probe_cpu *now = &probe_cpus[cpu], *then = &before[cpu];
		u64 hypercalls = now->hypercalls_made - then->hypercalls_made;

		if (hypercalls)
			ktap_diagnostic("%shypercalls made=%lu answered=%lu cpu=%u\n", scope, hypercalls,
					now->hypercalls_answered - then->hypercalls_answered, cpu);
		if (now->port_writes != then->port_writes)
			ktap_diagnostic("%sports written=%lu cpu=%u\n", scope, now->port_writes - then->port_writes, cpu);
		if (now->halts != then->halts)
			ktap_diagnostic("%shalts made=%lu cpu=%u\n", scope, now->halts - then->halts, cpu);
		for (unsigned vector = 0; vector < 256; vector++) {
			u64 count = now->irqs[vector] - then->irqs[vector];

			if (count)
				ktap_diagnostic("%sirq vector=0x%x cpu=%u count=%lu\n", scope, vector, cpu, count);
		}
	}
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
		if (stimulus_needs(stimulus, cpu)) {
			apic_send(cpu, VECTOR_CONTROL);
			workers++;
		}
	while (__atomic_load_n(&ready, __ATOMIC_ACQUIRE) != workers)
		pause();
	return workers;
}

/*
 * Asleep where CPU 0 has no part, so that it costs no exits while somebody waits for a key; awake where it has, so
 * that it adds no HLT to those that are counted.
 */
static void await_workers(unsigned workers, bool asleep)
{
	cli();
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) != workers) {
		if (asleep)
			sti_hlt();
		else
			sti_nop_cli();
		cli();
	}
	sti();
}

static void run_step(const struct stimulus *stimulus)
{
	bool takes_part = stimulus_needs(stimulus, 0), ok = true;
	unsigned workers = call_workers(stimulus);

	take_counters();
	mark(stimulus->name, "begin");
	__atomic_store_n(&started, called, __ATOMIC_RELEASE);
	if (takes_part)
		ok = stimulus_run(stimulus);
	await_workers(workers, !takes_part);
	mark(stimulus->name, "end");
	report_counters("");
	__atomic_store_n(&ended, called, __ATOMIC_RELEASE);
	ktap_result(stimulus->name, ok && !READ_ONCE(worker_failed));
}

void plan_worker(unsigned cpu)
{
	const u64 *calls = &probe_cpus[cpu].irqs[VECTOR_CONTROL];
	u64 answered = READ_ONCE(*calls);

	for (;;) {
		u64 step;

		cli();
		while (READ_ONCE(*calls) == answered) {
			sti_hlt();
			cli();
		}
		sti();
		answered++;
		step = __atomic_load_n(&called, __ATOMIC_SEQ_CST);
		__atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
		while (__atomic_load_n(&started, __ATOMIC_ACQUIRE) != step)
			pause();
		if (!stimulus_run(shared_step))
			WRITE_ONCE(worker_failed, true);
		__atomic_fetch_add(&done, 1, __ATOMIC_RELEASE);
		/* One that takes part is awake, or asleep for the step's own sake: this would be one HLT more. */
		if (!stimulus_needs(shared_step, 0))
			apic_send(0, VECTOR_CONTROL);
		/* The HLT of waiting must not fall into the step. */
		while (__atomic_load_n(&ended, __ATOMIC_ACQUIRE) != step)
			pause();
	}
}

void plan_run(void)
{
	ktap_begin(1 + step_count);
	ktap_diagnostic("boot vcpus=%u\n", cpu_count);
	ktap_diagnostic("hypercalls by %s\n", hypercall_instruction());
	ktap_result("boot", true);
	for (unsigned i = 0; i < step_count; i++)
		run_step(&steps[i]);
	memset(before, 0, sizeof(before));
	report_counters("total ");
	console_printf("svsm-harness: ready\n");
	while (options.stay)
		sti_hlt();
	leave_qemu(ktap_failures() ? EXIT_FAILED : EXIT_PASSED);
}
