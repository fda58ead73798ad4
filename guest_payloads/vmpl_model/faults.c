/* SPDX-License-Identifier: MIT */
#include "faults.h"

#include "console.h"
#include "options.h"

#define RATE_ONE 1000000u	/* rates are kept in millionths */

static const char *const names[FAULT_COUNT] = {
	[FAULT_IRQ_TO_VMPL0] = "irq-to-vmpl0",
	[FAULT_IRQ_LOST] = "irq-lost",
	[FAULT_IRQ_DUPLICATED] = "irq-duplicated",
	[FAULT_IRQ_WRONG_VCPU] = "irq-wrong-vcpu",
	[FAULT_IPI_WRONG_VMPL] = "ipi-wrong-vmpl",
	[FAULT_DEFAULT_VMPL_NEVER_RAISED] = "default-vmpl-never-raised",
	[FAULT_SWITCH_DROPPED] = "switch-dropped",
	[FAULT_SWITCH_REFUSED_IGNORED] = "switch-refused-ignored",
	[FAULT_SWITCH_SPURIOUS] = "switch-spurious",
	[FAULT_HLT_LOST_WAKEUP] = "hlt-lost-wakeup",
	[FAULT_AP_START_HANG] = "ap-start-hang",
	[FAULT_AP_START_TRIPLE_FAULT] = "ap-start-triple-fault",
	[FAULT_SVSM_PANIC] = "svsm-panic",
	[FAULT_GUEST_PANIC] = "guest-panic",
	[FAULT_START_SLOW] = "start-slow",
	[FAULT_TRACE_LOST] = "trace-lost",
	[FAULT_SVSM_SPIN] = "svsm-spin",
	[FAULT_GUEST_SPIN] = "guest-spin",
};

static struct {
	bool armed;
	u32 rate;
	u64 after;
	u64 opportunities;
	u64 fired;
} faults[FAULT_COUNT];

/* Parse 0.25, .5, 1 or 1.0 into millionths; more than six decimals are refused, not rounded. */
static bool parse_rate(struct span text, u32 *rate)
{
	struct span fraction = text, whole = span_cut(&fraction, '.');
	u64 ones = 0, parts = 0;

	if (!text.bytes || (whole.bytes && !span_number(whole, &ones)) || fraction.bytes > 6)
		return false;
	if (fraction.bytes && (fraction.at[0] > '9' || !span_number(fraction, &parts)))
		return false;
	for (size_t i = fraction.bytes; i < 6; i++)
		parts *= 10;
	if (ones > 1 || ones * RATE_ONE + parts > RATE_ONE)
		return false;
	*rate = ones * RATE_ONE + parts;
	return true;
}

bool fault_parse(struct span text)
{
	struct span rate, after = text, name = span_cut(&after, ':');

	rate = span_cut(&after, ':');
	for (unsigned i = 0; i < FAULT_COUNT; i++) {
		if (!span_equals(name, names[i]))
			continue;
		faults[i].armed = true;
		faults[i].rate = RATE_ONE;
		if (rate.bytes && !parse_rate(rate, &faults[i].rate))
			return false;
		return !after.bytes || span_number(after, &faults[i].after);
	}
	return false;
}

/* splitmix64: a decision depends only on seed, fault and the number of the opportunity. */
static u64 mix(u64 x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

bool fault_fires(enum fault fault)
{
	u64 opportunity;

	if (!faults[fault].armed)
		return false;
	opportunity = __atomic_fetch_add(&faults[fault].opportunities, 1, __ATOMIC_RELAXED);
	if (opportunity < faults[fault].after)
		return false;
	if (mix(mix(options.seed) ^ (u64)fault << 56 ^ opportunity) % RATE_ONE >= faults[fault].rate)
		return false;
	__atomic_fetch_add(&faults[fault].fired, 1, __ATOMIC_RELAXED);
	return true;
}

bool fault_needs_own_apics(void)
{
	return faults[FAULT_IRQ_TO_VMPL0].armed || faults[FAULT_IPI_WRONG_VMPL].armed ||
	       faults[FAULT_DEFAULT_VMPL_NEVER_RAISED].armed;
}

void fault_announce(void)
{
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (faults[i].armed)
			console_printf("vmpl_model: fault %s armed rate=%u/1000000 after=%lu seed=%lu\n", names[i],
				       faults[i].rate, faults[i].after, options.seed);
}

void fault_summarise(void)
{
	for (unsigned i = 0; i < FAULT_COUNT; i++)
		if (faults[i].armed)
			console_printf("vmpl_model: fault %s opportunities=%lu fired=%lu\n", names[i],
				       faults[i].opportunities, faults[i].fired);
}
