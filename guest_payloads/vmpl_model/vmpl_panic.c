/* SPDX-License-Identifier: MIT */
/* How each VMPL dies, in the words that a classifier of real logs knows. */
#include "backdoor.h"
#include "clock.h"
#include "options.h"
#include "processor.h"
#include "vmpl.h"

/* COCONUT kernel/src/svsm.rs panic handler and debug/stacktrace.rs; then GHCB termination, set 0 reason 0. */
static __noreturn void svsm_dies(unsigned cpu, const char *file, unsigned line, const char *message)
{
	char task[32];

	format_text(task, sizeof(task), "[request-loop on CPU %u] ", cpu);
	port_printf(CONSOLE, "%sERROR: Panic on CPU[%u]! COCONUT-SVSM Version: model\n", task, cpu);
	port_printf(CONSOLE, "%sERROR: Info: panicked at %s:%u:1:\n%s\n", task, file, line, message);
	port_printf(CONSOLE, "%s---BACKTRACE---:\n", task);
	port_printf(CONSOLE, "%s  [%016lx] vmpl_panic\n", task, (u64)__builtin_return_address(0));
	port_printf(CONSOLE, "%s---END---\n", task);
	ghcb_terminate(0, 0);
}

/* kernel/panic.c of Linux; it stays halted unless end=exit stands in for panic=-1. */
static __noreturn void guest_dies(const char *message)
{
	u64 us = clock_tsc_to_us(rdtsc());

	port_printf(CONSOLE, "[%5lu.%06lu] Kernel panic - not syncing: %s\n", us / 1000000, us % 1000000, message);
	port_printf(CONSOLE, "[%5lu.%06lu] ---[ end Kernel panic - not syncing: %s ]---\n", us / 1000000, us % 1000000,
		    message);
	port_printf(REPORT, "# guest panic: %s\n", message);
	if (options.end == END_EXIT)
		backdoor(BACKDOOR_LEAVE, EXIT_GUEST_PANIC, NULL, 0);
	for (;;)
		__asm__ volatile("hlt");
}

void vmpl_panic(const char *file, unsigned line, const char *format, ...)
{
	struct vmpl_cpu *self;
	char message[200];
	va_list args;

	cli();
	self = this_vmpl_cpu();
	va_start(args, format);
	vformat_text(message, sizeof(message), format, args);
	va_end(args);
	if (!self->vmpl)
		svsm_dies(self->cpu, file, line, message);
	guest_dies(message);
}
