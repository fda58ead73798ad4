/* SPDX-License-Identifier: MIT */
#include "trace.h"

#include "clock.h"
#include "console.h"
#include "faults.h"
#include "options.h"
#include "processor.h"
#include "spinlock.h"
#include "text.h"
#include "virtio_console.h"

#define DEBUGCON_PORT 0xe9
#define BUFFER_BYTES (64 * 1024)
/* Where a CPU offers its buffer to a free channel; it must take the channel only when the buffer is full. */
#define OFFER_BYTES (16 * 1024)
#define LINE_BYTES 320
#define LONGEST_DELAY_US 20000
/* Stand-ins for the vCPU threads' ids: kvm_inj_virq has no vCPU, so a line's pid must tell it. */
#define FIRST_PID 10000

static struct trace_buffer {
	struct spinlock lock;	/* the owner writes under it; only trace_end() ever contends */
	u32 bytes;
	u64 sequence;
	u64 flush_tsc;	/* of the oldest line that is buffered; 0: none */
	char text[BUFFER_BYTES];
} buffers[MAX_CPUS];

static struct spinlock channel_lock;
static unsigned cpu_count;
static u64 lines_total;
static bool ended;

static void hand_over(const char *text, u32 bytes)
{
	if (options.trace == TRACE_VIRTIO)
		virtio_console_write(text, bytes);
	else if (options.trace == TRACE_DEBUGCON)
		outsb(DEBUGCON_PORT, text, bytes);
}

/* An absent channel must not be found out by an empty trace. QEMU's isa-debugcon reads as its own port number. */
static void choose_channel(void)
{
	bool wants_virtio = options.trace == TRACE_AUTO || options.trace == TRACE_VIRTIO;
	bool wants_debugcon = options.trace == TRACE_AUTO || options.trace == TRACE_DEBUGCON;

	if (options.trace == TRACE_NONE)
		return;
	if (wants_virtio && virtio_console_init())
		options.trace = TRACE_VIRTIO;
	else if (wants_debugcon && inb(DEBUGCON_PORT) == DEBUGCON_PORT)
		options.trace = TRACE_DEBUGCON;
	else
		bail_out("nowhere to write the trace to (trace=%s): add -device virtio-serial-pci,max_ports=1 "
			 "-device virtconsole,chardev=ID, or say trace=none",
			 trace_channel_name());
}

void trace_init(unsigned cpus)
{
	char line[LINE_BYTES];
	size_t bytes;

	cpu_count = cpus;
	choose_channel();
	bytes = format_text(line, sizeof(line), "# vmpl_model flavour=%s guest_vmpl=%u vcpus=%u tsc_khz=%lu channel=%s\n",
			    flavour_name(), options.guest_vmpl, cpus, tsc_khz, trace_channel_name());
	hand_over(line, bytes);
}

static void drain(struct trace_buffer *buffer)
{
	if (buffer->bytes)
		hand_over(buffer->text, buffer->bytes);
	buffer->bytes = 0;
	buffer->flush_tsc = 0;
}

static size_t put_line(char *to, unsigned cpu, const char *name, const char *format, va_list args, const char *tail)
{
	u64 us = clock_tsc_to_us(rdtsc());
	size_t bytes;

	bytes = format_text(to, LINE_BYTES, "             CPU-%u   [00%u] d.... %5lu.%06lu: %s: ", FIRST_PID + cpu, cpu,
			    us / 1000000, us % 1000000, name);
	bytes += vformat_text(to + bytes, LINE_BYTES - bytes, format, args);
	bytes += format_text(to + bytes, LINE_BYTES - bytes, "%s\n", tail);
	return bytes;
}

static void drain_now(struct trace_buffer *buffer)
{
	spin_lock(&channel_lock);
	drain(buffer);
	spin_unlock(&channel_lock);
}

static void append(unsigned cpu, const char *name, const char *format, va_list args)
{
	struct trace_buffer *buffer = &buffers[cpu];
	char tail[32];

	format_text(tail, sizeof(tail), " seq=%u:%lu", cpu, buffer->sequence++);
	__atomic_fetch_add(&lines_total, 1, __ATOMIC_RELAXED);
	if (fault_fires(FAULT_TRACE_LOST))
		return;
	if (!buffer->flush_tsc)
		buffer->flush_tsc = rdtsc() + clock_us_to_tsc(LONGEST_DELAY_US);
	buffer->bytes += put_line(buffer->text + buffer->bytes, cpu, name, format, args, tail);
	if (buffer->bytes < OFFER_BYTES)
		return;
	if (buffer->bytes > BUFFER_BYTES - LINE_BYTES)
		spin_lock(&channel_lock);
	else if (!spin_trylock(&channel_lock))
		return;
	drain(buffer);
	spin_unlock(&channel_lock);
}

static void append_words(unsigned cpu, const char *name, const char *format, ...) __printf(3, 4);
static void append_words(unsigned cpu, const char *name, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(cpu, name, format, args);
	va_end(args);
}

void trace_event(unsigned cpu, const char *name, const char *format, ...)
{
	struct trace_buffer *buffer = &buffers[cpu];
	va_list args;

	if (options.trace == TRACE_NONE)
		return;
	spin_lock(&buffer->lock);
	if (!READ_ONCE(ended)) {
		va_start(args, format);
		append(cpu, name, format, args);
		va_end(args);
		/* A live-lock would fill the disk. The line says that evidence ends here. */
		if (READ_ONCE(lines_total) >= options.trace_limit_lines &&
		    !__atomic_exchange_n(&ended, true, __ATOMIC_ACQ_REL)) {
			append_words(cpu, "vmpl_model_trace_limit", "lines=%lu", options.trace_limit_lines);
			drain_now(buffer);
			console_printf("vmpl_model: trace-limit reached\n");
		}
	}
	spin_unlock(&buffer->lock);
}

void trace_flush(unsigned cpu)
{
	if (!buffers[cpu].bytes)
		return;
	spin_lock(&buffers[cpu].lock);
	drain_now(&buffers[cpu]);
	spin_unlock(&buffers[cpu].lock);
}

u64 trace_flush_deadline(unsigned cpu)
{
	return buffers[cpu].flush_tsc;
}

bool trace_flush_due(unsigned cpu)
{
	return buffers[cpu].flush_tsc && rdtsc() >= buffers[cpu].flush_tsc;
}

void trace_end(unsigned cpu)
{
	bool limited = __atomic_exchange_n(&ended, true, __ATOMIC_ACQ_REL);

	if (options.trace == TRACE_NONE)
		return;
	for (unsigned i = 0; i < cpu_count; i++)
		spin_lock(&buffers[i].lock);
	spin_lock(&channel_lock);
	for (unsigned i = 0; i < cpu_count; i++)
		drain(&buffers[i]);
	spin_unlock(&channel_lock);
	/* After trace-limit the number of lines that were never produced is not known: no end line. */
	if (!limited) {
		append_words(cpu, "vmpl_model_trace_end", "lines=%lu", lines_total);
		drain(&buffers[cpu]);
	}
}
