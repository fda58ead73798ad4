/* SPDX-License-Identifier: MIT */
/* The command line (-append). README.md has the grammar; a word that is not in it stops the payload. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "text.h"

enum flavour { FLAVOUR_ROY, FLAVOUR_TOM, FLAVOUR_PLANES_V1 };
enum end_mode { END_EXIT, END_IDLE };
enum trace_channel { TRACE_AUTO, TRACE_VIRTIO, TRACE_DEBUGCON, TRACE_NONE };

struct options {
	enum flavour flavour;
	enum end_mode end;
	enum trace_channel trace;
	unsigned guest_vmpl;
	unsigned nmi_vmpl;	/* ~0u: the guest's */
	u64 trace_limit_lines;
	u64 await_ms;
	u64 slow_ms;
	u64 svsm_keys; /* keyboard interrupts that VMPL0 takes before it installs the first guest VMSA */
	u64 seed;
	struct span plan;
};

extern struct options options;

/* Parse or bail out. */
void options_parse(const char *command_line);
const char *flavour_name(void);
const char *trace_channel_name(void);

#endif
