/* SPDX-License-Identifier: MIT */
/*
 * The trace: the lines that `cat trace` of a patched host kernel would show, each with " seq=CPU:N" behind it.
 * Host mode with interrupts off only; events.h has the events.
 */
#ifndef TRACE_H
#define TRACE_H

#include "types.h"

void trace_init(unsigned cpus);
/* Append one event of the calling vCPU's thread: name and fields in the kernel's print format. */
void trace_event(unsigned cpu, const char *name, const char *format, ...) __printf(3, 4);
/* Hand over what the CPU has buffered. Called before it sleeps, so that a hang loses nothing. */
void trace_flush(unsigned cpu);
/* When the CPU's oldest buffered line must be handed over even if nothing happens; 0: none is buffered. */
u64 trace_flush_deadline(unsigned cpu);
bool trace_flush_due(unsigned cpu);
/* Flush every CPU's buffer and write vmpl_model_trace_end; nothing is traced afterwards. */
void trace_end(unsigned cpu);

#endif
