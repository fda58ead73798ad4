/* SPDX-License-Identifier: MIT */
/*
 * Marks in the host's own trace: a hypercall that KVM does not know, whose arguments spell the step's name, shows as
 * one kvm_hypercall event of the vCPU's thread, exactly where the step begins and ends. harness/evidence/probe_marks.py
 * reads it.
 */
#ifndef MARK_H
#define MARK_H

/* "mark" */
#define MARK_HYPERCALL 0x6d61726b
/* The edge and 31 letters in four registers. */
#define MARK_NAME_BYTES 31

/* Mark the trace and the console; `edge` is begin or end. */
void mark(const char *name, const char *edge);

#endif
