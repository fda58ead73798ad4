/* SPDX-License-Identifier: MIT */
#include "options.h"
#include "smp.h"
#include "stimuli.h"

#define MAX_COUNT 1000000
#define MAX_US 60000000

/* Where a stimulus runs, and what its second number means, as far as it has one. */
static const struct {
	const char *name;
	u64 default_us;	/* 0: takes no time */
	unsigned cpu;
	bool takes_cpu;	/* its last field may be each, one or cpuN */
} kinds[STIMULI] = {
	[CALLS] = {"calls", 0, EVERY_CPU, true},
	[PVALIDATE] = {"pvalidate", 0, EVERY_CPU, true},
	[SLOW] = {"slow", 500, EVERY_CPU, true},
	[STORM] = {"storm", 200, EVERY_CPU, true},
	[TIMER] = {"timer", 1000, EVERY_CPU, true},
	[VMPL0_TIMER] = {"vmpl0timer", 500, EVERY_CPU, true},
	[IPI] = {"ipi", 0, 0, false},
	[KEYBOARD] = {"keyboard", 0, 0, false},
	[NMI] = {"nmi", 0, 0, false},
	[IDLE] = {"idle", 0, 0, false},
	[RESTART] = {"restart", 0, 0, false},
	[ERRORS] = {"errors", 0, 0, false},
};

static bool parse_cpu(struct span word, unsigned *cpu)
{
	u64 number;

	if (span_equals(word, "each"))
		*cpu = EVERY_CPU;
	else if (span_equals(word, "one"))
		*cpu = 0;
	else if (word.bytes == 4 && !memcmp(word.at, "cpu", 3) &&
		 span_number((struct span){word.at + 3, 1}, &number) && number < cpu_count)
		*cpu = number;
	else
		return false;
	return true;
}

/* idle:2000ms, idle:2s or idle:2000, which is milliseconds too. */
static bool parse_duration(struct span word, u64 *us)
{
	u64 unit_us = 1000;

	if (word.bytes > 2 && word.at[word.bytes - 2] == 'm' && word.at[word.bytes - 1] == 's') {
		word.bytes -= 2;
	} else if (word.bytes > 1 && word.at[word.bytes - 1] == 's') {
		word.bytes -= 1;
		unit_us = 1000000;
	}
	if (!span_number(word, us) || *us > MAX_US / unit_us)
		return false;
	*us *= unit_us;
	return true;
}

static const char *parse_fields(struct span rest, struct stimulus *stimulus)
{
	u64 number;

	while (rest.bytes) {
		struct span field = span_cut(&rest, ':');

		if (kinds[stimulus->kind].takes_cpu && parse_cpu(field, &stimulus->cpu))
			continue;
		if (stimulus->kind == CALLS && span_equals(field, "vtpm"))
			continue;
		if (stimulus->kind == CALLS && span_equals(field, "query"))
			stimulus->query = true;
		else if (stimulus->period_us && span_number(field, &number) && number && number <= MAX_US)
			stimulus->period_us = number;
		else
			return "unknown field in stimulus";
	}
	return NULL;
}

const char *stimulus_parse(struct span word, struct stimulus *stimulus)
{
	struct span rest = word, name = span_cut(&rest, ':'), first = span_cut(&rest, ':');
	unsigned kind = 0;

	while (kind < STIMULI && !span_equals(name, kinds[kind].name))
		kind++;
	if (kind == STIMULI)
		return "unknown stimulus";
	if (word.bytes > sizeof(stimulus->name) - 8)
		return "stimulus is too long";
	*stimulus = (struct stimulus){.kind = kind, .cpu = kinds[kind].cpu, .period_us = kinds[kind].default_us};
	memcpy(stimulus->name, word.at, word.bytes);
	if (kind == IDLE)
		return parse_duration(first, &stimulus->period_us) && stimulus->period_us && !rest.bytes
			       ? NULL
			       : "idle wants one duration";
	if (!span_number(first, &stimulus->count) || !stimulus->count || stimulus->count > MAX_COUNT)
		return "stimulus wants a count of 1 to 1000000";
	if (kind == RESTART && cpu_count == 1)
		return "restart needs a second CPU";
	if (kind == VMPL0_TIMER && options.flavour == FLAVOUR_TOM)
		return "vmpl0timer needs an APIC of VMPL0's own, and flavour=tom has one for all";
	return parse_fields(rest, stimulus);
}
