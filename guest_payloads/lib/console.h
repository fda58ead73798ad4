/* SPDX-License-Identifier: MIT */
/* The two serial ports and the way out of QEMU, for code that owns the ports. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include "types.h"

enum serial_port { CONSOLE, REPORT };

/*
 * What is written to isa-debug-exit; QEMU exits with (value << 1) | 1. The first two are those of COCONUT-SVSM's
 * test-in-svsm, so one rule reads both.
 */
enum exit_value {
	EXIT_PASSED = 0x10,	/* QEMU 33: the plan ran, every test line is ok */
	EXIT_FAILED = 0x11,	/* QEMU 35: the plan ran, a test line is not ok */
	EXIT_BAD_OPTION = 0x12,	/* QEMU 37: options or machine refused, nothing ran */
	EXIT_TERMINATED = 0x13, /* QEMU 39: a VMPL asked for termination (an SVSM panic ends so) */
	EXIT_GUEST_PANIC = 0x14, /* QEMU 41: the guest panicked and end=exit */
	EXIT_MODEL_BUG = 0x15,	/* QEMU 43: the payload found itself in a state that must not be */
};

void serial_init(void);
/* Write whole lines; lines of two CPUs never mix. */
void serial_write(enum serial_port port, const char *text, size_t bytes);
void console_printf(const char *format, ...) __printf(1, 2);
/* Refuse to run: say why on both ports and leave with EXIT_BAD_OPTION. */
__noreturn void bail_out(const char *format, ...) __printf(1, 2);
/* Write one line to both ports whoever holds their lock: the machine is going down. */
void last_words(const char *before, const char *format, va_list args);
__noreturn void leave_qemu(enum exit_value value);
/* Reset the machine, as a VMM does when a vCPU shuts down (triple fault); -no-reboot makes QEMU exit 0. */
__noreturn void reset_machine(void);

#endif
