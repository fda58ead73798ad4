/* SPDX-License-Identifier: MIT */
#include "edu.h"
#include "options.h"
#include "smp.h"
#include "stimuli.h"

#define MAX_COUNT 1000000
/* Room behind the name for #N. */
#define NUMBERING_BYTES 4

/* Who has a part in a stimulus, and what its second number means, as far as it has one. */
static const struct {
	const char *name;
	u64 number, least, most;	/* all 0: it has none */
	bool by_many;			/* `each` CPU may do it, and does if none is named; else it is done to one CPU */
} kinds[STIMULI] = {
	[HYPERCALLS] = {"hypercalls", 42, 13, 1000000, true},
	[PORTS] = {"ports", 0xed, 1, 0xffff, true},
	[HALTS] = {"halts", 1000, 1, 10000000, true},
	[WAKES] = {"wakes", 0, 0, 0, false},
	[IPIS] = {"ipis", 0, 0, 0, false},
	[MSIS] = {"msis", 0, 0, 0, false},
	[KEYBOARD] = {"keyboard", 0, 0, 0, false},
	[RESTARTS] = {"restarts", 0, 0, 0, false},
};

static bool parse_cpu(struct span word, unsigned *cpu)
{
	u64 number;

	if (word.bytes != 4 || memcmp(word.at, "cpu", 3))
		return false;
	if (!span_number((struct span){word.at + 3, 1}, &number) || number >= cpu_count)
		return false;
	*cpu = number;
	return true;
}

static const char *parse_fields(struct span rest, struct stimulus *stimulus)
{
	u64 number;

	while (rest.bytes) {
		struct span field = span_cut(&rest, ':');

		if (parse_cpu(field, &stimulus->cpu))
			continue;
		if (span_equals(field, "each") && kinds[stimulus->kind].by_many)
			stimulus->cpu = EVERY_CPU;
		else if (span_number(field, &number) && kinds[stimulus->kind].most &&
			 number >= kinds[stimulus->kind].least && number <= kinds[stimulus->kind].most)
			stimulus->number = number;
		else
			return "unknown field, number out of range, or no such CPU";
	}
	return NULL;
}

const char *stimulus_parse(struct span word, struct stimulus *stimulus)
{
	struct span rest = word, name = span_cut(&rest, ':'), first = span_cut(&rest, ':');
	const char *reason;
	unsigned kind = 0;

	while (kind < STIMULI && !span_equals(name, kinds[kind].name))
		kind++;
	if (kind == STIMULI)
		return "unknown stimulus";
	if (word.bytes > sizeof(stimulus->name) - 1 - NUMBERING_BYTES)
		return "stimulus is too long for a mark in the trace";
	*stimulus = (struct stimulus){.kind = kind, .number = kinds[kind].number, .cpu = EVERY_CPU};
	if (!kinds[kind].by_many)
		stimulus->cpu = cpu_count > 1 ? 1 : 0;
	memcpy(stimulus->name, word.at, word.bytes);
	if (!span_number(first, &stimulus->count) || !stimulus->count || stimulus->count > MAX_COUNT)
		return "stimulus wants a count of 1 to 1000000";
	reason = parse_fields(rest, stimulus);
	if (reason)
		return reason;
	stimulus->count += options.one_more;
	if (options.astray && stimulus->cpu != EVERY_CPU)
		stimulus->cpu = (stimulus->cpu + 1) % cpu_count;
	if ((kind == WAKES || kind == RESTARTS) && !stimulus->cpu)
		return "CPU 0 does it, so it needs another CPU to do it to";
	if (kind == MSIS && !edu_find())
		return "msis needs QEMU's -device edu, on bus 0 and with its MSI";
	return NULL;
}
