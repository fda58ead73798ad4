/* SPDX-License-Identifier: MIT */
#include "console.h"

#include "print.h"
#include "processor.h"
#include "spinlock.h"
#include "text.h"

/* 16550: National Semiconductor PC16550D, register table. */
#define UART_FIFO_BYTES 16
#define UART_IER 1
#define UART_FCR 2
#define UART_LCR 3
#define UART_MCR 4
#define UART_LSR 5
#define UART_LSR_THRE 0x20
#define UART_LSR_TEMT 0x40

#define ISA_DEBUG_EXIT_PORT 0xf4
#define LONGEST_EXIT_TSC 8000000000ull	/* some seconds on every CPU; the clock may not be measured yet */
/* ICH9 datasheet, 13.7.5: reset control register. */
#define RST_CNT 0xcf9

static const u16 ports[] = {[CONSOLE] = 0x3f8, [REPORT] = 0x2f8};
static struct spinlock serial_lock;

void serial_init(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		outb(ports[i] + UART_IER, 0);
		outb(ports[i] + UART_LCR, 0x80);
		outb(ports[i], 1);
		outb(ports[i] + UART_IER, 0);
		outb(ports[i] + UART_LCR, 3);
		outb(ports[i] + UART_FCR, 7);
		outb(ports[i] + UART_MCR, 3);
	}
}

static void write_unlocked(enum serial_port port, const char *text, size_t bytes)
{
	while (bytes) {
		size_t burst = bytes < UART_FIFO_BYTES ? bytes : UART_FIFO_BYTES;

		while (!(inb(ports[port] + UART_LSR) & UART_LSR_THRE))
			pause();
		outsb(ports[port], text, burst);
		text += burst;
		bytes -= burst;
	}
}

void serial_write(enum serial_port port, const char *text, size_t bytes)
{
	spin_lock(&serial_lock);
	write_unlocked(port, text, bytes);
	spin_unlock(&serial_lock);
}

void console_printf(const char *format, ...)
{
	char line[320];
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = vformat_text(line, sizeof(line), format, args);
	va_end(args);
	serial_write(CONSOLE, line, bytes);
}

/* The machine is going down, so a lock that somebody died with must not keep the last words back. */
void last_words(const char *before, const char *format, va_list args)
{
	char line[320];
	size_t bytes;

	for (unsigned tries = 0; tries < 1000000 && !spin_trylock(&serial_lock); tries++)
		pause();
	bytes = vformat_text(line, sizeof(line), format, args);
	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++) {
		write_unlocked(i, before, strlen(before));
		write_unlocked(i, line, bytes);
		write_unlocked(i, "\n", 1);
	}
}

void bail_out(const char *format, ...)
{
	char before[64];
	va_list args;

	format_text(before, sizeof(before), "Bail out! %s: ", payload_name);
	va_start(args, format);
	last_words(before, format, args);
	leave_qemu(EXIT_BAD_OPTION);
}

/* QEMU keeps what its reader has not taken yet in the UART, and an exit would take it along. */
static void drain_serial(void)
{
	u64 start = rdtsc();

	for (unsigned i = 0; i < ARRAY_SIZE(ports); i++)
		while (!(inb(ports[i] + UART_LSR) & UART_LSR_TEMT) && rdtsc() - start < LONGEST_EXIT_TSC)
			pause();
}

void leave_qemu(enum exit_value value)
{
	u64 start;

	drain_serial();
	start = rdtsc();
	outl(ISA_DEBUG_EXIT_PORT, value);
	/* QEMU from 9 on only requests its shutdown here, so the CPU runs on for a moment. */
	while (rdtsc() - start < LONGEST_EXIT_TSC)
		pause();
	/* No isa-debug-exit device: stay, and say so once, instead of running on. */
	console_printf("%s: no isa-debug-exit at 0xf4, halted\n", payload_name);
	for (;;) {
		cli();
		__asm__ volatile("hlt");
	}
}

void reset_machine(void)
{
	outb(RST_CNT, 2);
	outb(RST_CNT, 6);
	for (;;) {
		cli();
		__asm__ volatile("hlt");
	}
}
