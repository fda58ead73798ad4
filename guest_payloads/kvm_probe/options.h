/* SPDX-License-Identifier: MIT */
/* The command line (-append). README.md has the grammar; a word that is not in it stops the payload. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "text.h"

struct options {
	u64 await_ms;
	bool stay;	/* sleep after the plan, instead of leaving QEMU */
	struct span plan;
	/* To see that somebody notices: what is done is not what the step's name says. */
	bool one_more, astray;
};

extern struct options options;

/* Parse or bail out. */
void options_parse(const char *command_line);

#endif
