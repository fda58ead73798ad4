/* SPDX-License-Identifier: MIT */
/* x2APIC MSRs (AMD APM volume 2, 16.11 and table 16-6) as the monitor emulates and the VMPLs program them. */
#ifndef X2APIC_H
#define X2APIC_H

#define X2APIC_ID 0x802
#define X2APIC_TPR 0x808
#define X2APIC_EOI 0x80b
#define X2APIC_SPIV 0x80f
#define X2APIC_ICR 0x830
#define X2APIC_LVTT 0x832
#define X2APIC_LVT1 0x836
#define X2APIC_TMICT 0x838
#define X2APIC_TDCR 0x83e

#define X2APIC_SPIV_ENABLE (1u << 8)
#define X2APIC_LVT_MASKED (1u << 16)
#define X2APIC_TDCR_DIV_1 0xb
/* The emulated timer counts nanoseconds, as KVM's does (APIC_BUS_CYCLE_NS = 1). */
#define X2APIC_TIMER_KHZ 1000000ull

/* Interrupt command register, 16.5. */
#define ICR_VECTOR(icr) ((icr)&0xff)
#define ICR_MODE(icr) ((icr) >> 8 & 7)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
#define ICR_DESTINATION(icr) ((icr) >> 32)

enum delivery_mode { DM_FIXED, DM_LOWEST, DM_SMI, DM_RESERVED, DM_NMI, DM_INIT, DM_STARTUP, DM_EXTINT };
enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_ALL_BUT_SELF };

#endif
