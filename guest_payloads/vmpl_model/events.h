/* SPDX-License-Identifier: MIT */
/*
 * The tracepoints, by their kernel names, in the print format of the chosen flavour: tom has the 6.11 formats, roy
 * those plus the RFC's two changes, planes-v1 those of 7.1.
 */
#ifndef EVENTS_H
#define EVENTS_H

#include "monitor.h"

void trace_kvm_entry(const struct vcpu_vmpl *context);
void trace_kvm_exit(const struct vcpu_vmpl *context, u64 exit_code);
void trace_kvm_switch(const struct vcpu *vcpu, int current_vmpl, int target_vmpl);
void trace_kvm_vmgexit_enter(const struct vcpu_vmpl *context, const struct ghcb *ghcb);
void trace_kvm_vmgexit_exit(const struct vcpu_vmpl *context, const struct ghcb *ghcb);
void trace_kvm_vmgexit_msr_protocol_enter(const struct vcpu_vmpl *context);
void trace_kvm_vmgexit_msr_protocol_exit(const struct vcpu_vmpl *context, int result);
void trace_kvm_inj_virq(unsigned cpu, unsigned vector, bool reinjected);
void trace_kvm_apic_accept_irq(unsigned cpu, unsigned apic_id, enum delivery_mode mode, unsigned vector, bool level);
void trace_kvm_apic_ipi(unsigned cpu, u64 icr);
void trace_kvm_eoi(unsigned cpu, unsigned apic_id, unsigned vector);
void trace_kvm_set_irq(unsigned cpu, unsigned gsi, int level);
void trace_kvm_ioapic_set_irq(unsigned cpu, unsigned pin, struct ioapic_route route, bool coalesced);
void trace_kvm_msi_set_irq(unsigned cpu, struct ioapic_route route);

#endif
