/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include "apic.h"
#include "processor.h"

/* Intel 8254 datasheet; port 61h bits as in the ICH9 datasheet, 13.7.1 (NMI_SC). */
#define PIT_HZ 1193182
#define PIT_CHANNEL_2 0x42
#define PIT_MODE 0x43
#define NMI_SC 0x61
#define CALIBRATION_US 1000
#define CALIBRATION_ROUNDS 3

u64 tsc_khz;
static u64 apic_khz;

/* A thread that loses its CPU here only makes a round longer, so the shortest round is the right one. */
void clock_init(void)
{
	u32 count = (u64)PIT_HZ * CALIBRATION_US / 1000000;
	u64 shortest = ~0ull;

	for (unsigned round = 0; round < CALIBRATION_ROUNDS; round++) {
		u64 start, tsc;
		u32 apic;

		outb(NMI_SC, (inb(NMI_SC) & ~2) | 1);	/* gate on, speaker off */
		outb(PIT_MODE, 0xb0);			/* channel 2, both bytes, mode 0: output rises at zero */
		outb(PIT_CHANNEL_2, count);
		apic_timer_start(~0u);
		start = rdtsc();
		outb(PIT_CHANNEL_2, count >> 8);
		while (!(inb(NMI_SC) & 0x20))
			;
		tsc = rdtsc() - start;
		apic = ~0u - apic_timer_left();
		apic_timer_start(0);
		if (tsc >= shortest)
			continue;
		shortest = tsc;
		tsc_khz = tsc * 1000 / CALIBRATION_US;
		apic_khz = (u64)apic * 1000 / CALIBRATION_US;
	}
}

u64 clock_us_to_tsc(u64 us)
{
	return us * tsc_khz / 1000;
}

u64 clock_tsc_to_us(u64 tsc)
{
	return tsc * 1000 / tsc_khz;
}

u32 clock_tsc_to_apic_ticks(u64 tsc)
{
	u64 ticks;

	/* 2^40 cycles are minutes: far above 2^32 ticks, and below an overflow of the product. */
	if (tsc > 1ull << 40)
		return ~0u;
	ticks = tsc * apic_khz / tsc_khz;
	return ticks > ~0u ? ~0u : ticks < 1 ? 1 : ticks;
}

void clock_spin_us(u64 us)
{
	u64 end = rdtsc() + clock_us_to_tsc(us);

	while (rdtsc() < end)
		pause();
}
