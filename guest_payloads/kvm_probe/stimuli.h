/* SPDX-License-Identifier: MIT */
/* The stimuli that a plan is made of. */
#ifndef STIMULI_H
#define STIMULI_H

#include "mark.h"
#include "text.h"

enum stimulus_kind { HYPERCALLS, PORTS, HALTS, WAKES, IPIS, MSIS, KEYBOARD, RESTARTS, STIMULI };

#define EVERY_CPU ~0u

struct stimulus {
	enum stimulus_kind kind;
	char name[MARK_NAME_BYTES + 1];	/* as the plan says it, with #N behind it when it comes again */
	u64 count;
	u64 number;		/* hypercalls: the number; ports: the port; halts: microseconds */
	unsigned cpu;		/* who does it, or whom it is done to; EVERY_CPU: all do it */
};

/* Parse the word of one stimulus; the reason why not, or NULL. */
const char *stimulus_parse(struct span word, struct stimulus *stimulus);
/* Tell whether a CPU has a part in it. */
bool stimulus_needs(const struct stimulus *stimulus, unsigned cpu);
/* Do the calling CPU's part; false: it saw itself that it failed. */
bool stimulus_run(const struct stimulus *stimulus);

#endif
