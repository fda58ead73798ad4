/* SPDX-License-Identifier: MIT */
#include "apic.h"

#include "clock.h"
#include "processor.h"

/* AMD APM volume 2, table 16-2: APIC register offsets. */
#define APIC_BASE 0xfee00000ull
#define APIC_ID 0x20
#define APIC_TPR 0x80
#define APIC_EOI 0xb0
#define APIC_LDR 0xd0
#define APIC_SPIV 0xf0
#define APIC_ICR_LOW 0x300
#define APIC_ICR_HIGH 0x310
#define APIC_LVTT 0x320
#define APIC_LVT0 0x350
#define APIC_LVT1 0x360
#define APIC_TMICT 0x380
#define APIC_TMCCT 0x390
#define APIC_TDCR 0x3e0

#define APIC_SPIV_ENABLE 0x100
#define APIC_LVT_MASKED 0x10000
#define APIC_DM_NMI 0x400
#define APIC_DM_INIT 0x500
#define APIC_DM_STARTUP 0x600
#define APIC_INT_ASSERT 0x4000
#define APIC_DEST_SELF 0x40000
#define APIC_DEST_ALLBUT 0xc0000
#define APIC_ICR_BUSY 0x1000
#define APIC_TDR_DIV_1 0xb

static u32 apic_read(unsigned reg)
{
	return *(volatile u32 *)(APIC_BASE + reg);
}

static void apic_write(unsigned reg, u32 value)
{
	*(volatile u32 *)(APIC_BASE + reg) = value;
}

unsigned apic_id(void)
{
	return apic_read(APIC_ID) >> 24;
}

void apic_enable(void)
{
	/*
	 * First the 8259's line, and the APIC's look at what is pending last: an 8259 interrupt that the firmware
	 * left would else stay requested with nobody to name its vector, which QEMU's TCG delivers as #GP.
	 */
	apic_write(APIC_LVT0, APIC_LVT_MASKED);
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | HOST_VECTOR_SPURIOUS);
	apic_write(APIC_LVTT, HOST_VECTOR_TIMER);
	apic_write(APIC_TDCR, APIC_TDR_DIV_1);
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT1, APIC_DM_NMI);
	apic_reassess();
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

void apic_reassess(void)
{
	apic_write(APIC_TPR, 0);
}

static void icr_write(u32 high, u32 low)
{
	while (apic_read(APIC_ICR_LOW) & APIC_ICR_BUSY)
		pause();
	apic_write(APIC_ICR_HIGH, high);
	apic_write(APIC_ICR_LOW, low);
}

void apic_send_init_sipi(unsigned page)
{
	icr_write(0, APIC_DEST_ALLBUT | APIC_INT_ASSERT | APIC_DM_INIT);
	/* Intel SDM 3A, 10.4.4 asks for 10 ms here for the i486's sake; a virtual CPU needs none of it. */
	clock_spin_us(200);
	icr_write(0, APIC_DEST_ALLBUT | APIC_INT_ASSERT | APIC_DM_STARTUP | page);
}

void apic_restart(unsigned cpu, unsigned page)
{
	icr_write(cpu << 24, APIC_INT_ASSERT | APIC_DM_INIT);
	clock_spin_us(200);
	icr_write(cpu << 24, APIC_INT_ASSERT | APIC_DM_STARTUP | page);
}

void apic_send(unsigned cpu, unsigned vector)
{
	icr_write(cpu << 24, APIC_INT_ASSERT | vector);
}

void apic_kick(unsigned cpu)
{
	apic_send(cpu, HOST_VECTOR_KICK);
}

void apic_kick_self(void)
{
	apic_write(APIC_ICR_LOW, APIC_DEST_SELF | APIC_INT_ASSERT | HOST_VECTOR_KICK);
}

void apic_timer_vector(unsigned vector)
{
	apic_write(APIC_LVTT, vector);
}

void apic_timer_start(u32 ticks)
{
	apic_write(APIC_TMICT, ticks);
}

u32 apic_timer_left(void)
{
	return apic_read(APIC_TMCCT);
}
