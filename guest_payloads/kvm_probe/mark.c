/* SPDX-License-Identifier: MIT */
#include "mark.h"

#include "console.h"
#include "hypercall.h"
#include "text.h"

static void mark_trace(const char *name, const char *edge)
{
	u64 words[4] = {0};
	char *text = (char *)words;
	size_t bytes = strlen(name);

	text[0] = edge[0];
	memcpy(text + 1, name, bytes < MARK_NAME_BYTES ? bytes : MARK_NAME_BYTES);
	hypercall(MARK_HYPERCALL, words[0], words[1], words[2], words[3]);
}

/* The console's line is outside of what the trace's marks enclose: it costs exits. */
void mark(const char *name, const char *edge)
{
	if (edge[0] == 'b')
		console_printf("svsm-harness: step %s %s\n", name, edge);
	mark_trace(name, edge);
	if (edge[0] != 'b')
		console_printf("svsm-harness: step %s %s\n", name, edge);
}
