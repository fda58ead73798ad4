/* SPDX-License-Identifier: MIT */
/*
 * What an SNP machine has no counterpart for: a VMMCALL without REP asks the monitor to print or to leave. It is
 * not traced, so that printing does not disturb what is counted.
 */
#ifndef BACKDOOR_H
#define BACKDOOR_H

#include "print.h"
#include "text.h"

enum backdoor {
	BACKDOOR_PRINT,		/* RBX = enum serial_port, RCX = text, RDX = bytes */
	BACKDOOR_MARK,		/* RCX = text, RDX = bytes: a vmpl_model_mark line in the trace */
	BACKDOOR_SUMMARISE,	/* print what the faults did; leaving does it too */
	BACKDOOR_LEAVE,		/* RBX = enum exit_value */
};

static inline void backdoor(enum backdoor function, u64 number, const void *text, size_t bytes)
{
	__asm__ volatile("vmmcall" ::"a"((u64)function), "b"(number), "c"(text), "d"(bytes) : "memory");
}

void mark_printf(const char *format, ...) __printf(1, 2);

#endif
