/* SPDX-License-Identifier: MIT */
/* The stimuli that a plan is made of. */
#ifndef STIMULI_H
#define STIMULI_H

#include "guest.h"
#include "text.h"

enum stimulus_kind { CALLS, PVALIDATE, SLOW, STORM, TIMER, VMPL0_TIMER, IPI, KEYBOARD, NMI, IDLE, RESTART, ERRORS, STIMULI };

#define EVERY_CPU ~0u

struct stimulus {
	enum stimulus_kind kind;
	char name[64];		/* as the plan says it, with #N behind it when it comes again */
	u64 count;
	u64 period_us;		/* slow: length of a call; idle: duration */
	unsigned cpu;		/* who does it; EVERY_CPU: all */
	bool query;		/* calls: QUERY_PROTOCOL instead of a vTPM command */
};

/* Parse the word of one stimulus; the reason why not, or NULL. */
const char *stimulus_parse(struct span word, struct stimulus *stimulus);
/* Do it on the calling CPU, which is stimulus->cpu or one of all; false: the guest itself saw it fail. */
bool stimulus_run(const struct stimulus *stimulus);

#endif
