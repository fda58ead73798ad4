/* SPDX-License-Identifier: MIT */
/* The guest's interrupts: counters, timer, keyboard, IPIs. */
#include "clock.h"
#include "desc.h"
#include "guest.h"
#include "i8042.h"
#include "processor.h"
#include "step_vectors.h"
#include "x2apic.h"

/* The longest that 32 bits of nanoseconds hold. */
#define LONGEST_ALARM_US 4000000ull

void guest_isr(const struct isr_frame *frame);

static void arm(unsigned vector, u64 us)
{
	x2apic_write(X2APIC_LVTT, vector);
	x2apic_write(X2APIC_TMICT, us * 1000);
}

void guest_isr(const struct isr_frame *frame)
{
	struct guest_cpu *self = this_guest_cpu();

	self->irqs[frame->vector]++;
	/* An NMI may interrupt the use of the GHCB, so it only counts. */
	if (frame->vector == NMI_VECTOR)
		return;
	if (frame->vector < FIRST_IRQ_VECTOR)
		vmpl_panic(__FILE__, __LINE__, "exception %lu at RIP 0x%lx error 0x%lx", frame->vector, frame->rip,
			   frame->error_code);
	if (frame->vector == GUEST_VECTOR_KEYBOARD)
		i8042_take_byte();
	if (frame->vector == GUEST_VECTOR_TIMER && self->timer_left && --self->timer_left)
		arm(GUEST_VECTOR_TIMER, self->timer_period_us);
	x2apic_write(X2APIC_EOI, 0);
}

void guest_irq_enable_keyboard(void)
{
	u64 flags = irq_save();

	i8042_enable_keyboard(GUEST_VECTOR_KEYBOARD);
	/* NMI on LINT1, boot CPU only, as Linux sets it. */
	x2apic_write(X2APIC_LVT1, DM_NMI << 8);
	irq_restore(flags);
}

void guest_timer_start(u64 count, u64 period_us)
{
	struct guest_cpu *self = this_guest_cpu();
	u64 flags = irq_save();

	self->timer_period_us = period_us;
	WRITE_ONCE(self->timer_left, count);
	arm(GUEST_VECTOR_TIMER, period_us);
	irq_restore(flags);
}

void guest_timer_stop(void)
{
	u64 flags = irq_save();

	WRITE_ONCE(this_guest_cpu()->timer_left, 0);
	x2apic_write(X2APIC_TMICT, 0);
	irq_restore(flags);
}

void guest_send_ipi(unsigned cpu, unsigned vector)
{
	u64 flags = irq_save();

	x2apic_write(X2APIC_ICR, (u64)cpu << 32 | ICR_ASSERT | DM_FIXED << 8 | vector);
	irq_restore(flags);
}

bool guest_await_count(const u64 *counter, u64 target, u64 quiet_us)
{
	u64 seen = READ_ONCE(*counter), deadline = rdtsc() + clock_us_to_tsc(quiet_us);

	cli();
	arm(GUEST_VECTOR_DEADLINE, quiet_us < LONGEST_ALARM_US ? quiet_us : LONGEST_ALARM_US);
	while (READ_ONCE(*counter) < target) {
		u64 rings = READ_ONCE(this_guest_cpu()->irqs[GUEST_VECTOR_DEADLINE]), now;

		sti_hlt();
		cli();
		if (READ_ONCE(this_guest_cpu()->irqs[GUEST_VECTOR_DEADLINE]) == rings)
			continue;
		now = rdtsc();
		if (READ_ONCE(*counter) != seen) {
			seen = READ_ONCE(*counter);
			deadline = now + clock_us_to_tsc(quiet_us);
		}
		if (now >= deadline)
			break;
		quiet_us = clock_tsc_to_us(deadline - now) + 1;
		arm(GUEST_VECTOR_DEADLINE, quiet_us < LONGEST_ALARM_US ? quiet_us : LONGEST_ALARM_US);
	}
	x2apic_write(X2APIC_TMICT, 0);
	sti();
	return READ_ONCE(*counter) >= target;
}
