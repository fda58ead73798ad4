/* SPDX-License-Identifier: MIT */
/* Which vCPU, VMPL and vector an interrupt goes to: RFC patch 5, and the planes series for planes-v1. */
#include "console.h"
#include "events.h"
#include "faults.h"
#include "ioapic.h"
#include "monitor.h"
#include "smp.h"
#include "step_vectors.h"

/* kvm_irq_delivery_to_apic: one interrupt to one vCPU. `faulty`: the interrupt is one a stimulus counts. */
static void deliver(unsigned cpu, unsigned destination, unsigned vmpl, enum delivery_mode mode, unsigned vector,
		    bool faulty)
{
	struct vcpu_vmpl *target;

	if (faulty && fault_fires(FAULT_IRQ_LOST))
		return;
	if (faulty && cpu_count > 1 && fault_fires(FAULT_IRQ_WRONG_VCPU))
		destination = (destination + 1) % cpu_count;
	target = &vcpus[destination].vmpl[vmpl];
	if (faulty && fault_fires(FAULT_IRQ_DUPLICATED))
		target->apic->duplicate_vector = vector;
	lapic_accept(cpu, target, mode, vector);
}

static unsigned device_vmpl(void)
{
	if (fault_fires(FAULT_IRQ_TO_VMPL0))
		return SVSM_VMPL;
	return READ_ONCE(default_irq_vmpl);
}

static bool keyboard_line_high;

/*
 * The i8042's line rises. roy and tom have the IOAPIC in the kernel: kvm_set_irq, accept, kvm_ioapic_set_irq, in KVM's own
 * order. planes-v1 demands the split irqchip: QEMU's IOAPIC turns the edge into an MSI.
 */
void irq_raise_keyboard(struct vcpu *vcpu)
{
	struct ioapic_route route = ioapic_route(KEYBOARD_GSI);
	bool delivered = !route.masked && route.destination < cpu_count && route.vector >= APIC_FIRST_VECTOR;

	WRITE_ONCE(keyboard_line_high, true);
	if (!flavour_is_planes()) {
		trace_kvm_set_irq(vcpu->id, KEYBOARD_GSI, 1);
		if (delivered)
			deliver(vcpu->id, route.destination, device_vmpl(), route.mode, route.vector, true);
		trace_kvm_ioapic_set_irq(vcpu->id, KEYBOARD_GSI, route, false);
	} else if (delivered) {
		trace_kvm_msi_set_irq(vcpu->id, route);
		deliver(vcpu->id, route.destination, device_vmpl(), route.mode, route.vector, true);
	}
}

void irq_lower_keyboard(struct vcpu *vcpu)
{
	if (!__atomic_exchange_n(&keyboard_line_high, false, __ATOMIC_SEQ_CST) || flavour_is_planes())
		return;
	trace_kvm_set_irq(vcpu->id, KEYBOARD_GSI, 0);
	trace_kvm_ioapic_set_irq(vcpu->id, KEYBOARD_GSI, ioapic_route(KEYBOARD_GSI), false);
}

/*
 * QMP inject-nmi reaches every CPU's LINT1. Neither series says which VMPL takes it, so it is an option, and the
 * VMPL's own LVT1 decides whether it is taken.
 */
void irq_raise_nmi(struct vcpu *vcpu)
{
	struct vcpu_vmpl *target = &vcpu->vmpl[options.nmi_vmpl];

	if (!target->vmsa || target->apic->lvt1 & X2APIC_LVT_MASKED)
		return;
	lapic_accept(vcpu->id, target, DM_NMI, 2);
}

static bool is_destination(unsigned id, unsigned sender, u64 icr)
{
	switch (ICR_SHORTHAND(icr)) {
	case TO_SELF:
		return id == sender;
	case TO_ALL:
		return true;
	case TO_ALL_BUT_SELF:
		return id != sender;
	default:
		/* 16.11: all ones is the broadcast of x2APIC. */
		return ICR_DESTINATION(icr) == id || ICR_DESTINATION(icr) == 0xffffffff;
	}
}

/* RFC patch 5: "IPIs always target the same VMPL as the source"; the planes series does the same. */
bool irq_send_ipi(struct vcpu_vmpl *sender, u64 icr)
{
	enum delivery_mode mode = ICR_MODE(icr);
	unsigned vector = ICR_VECTOR(icr), vmpl = sender->vmpl;
	bool counted = vector != GUEST_VECTOR_CONTROL;

	if ((mode != DM_FIXED && mode != DM_NMI) || icr & ICR_LOGICAL)
		return false;
	if (mode == DM_FIXED && vector < APIC_FIRST_VECTOR)
		return false;
	trace_kvm_apic_ipi(sender->vcpu->id, icr);
	for (unsigned id = 0; id < cpu_count; id++) {
		if (!is_destination(id, sender->vcpu->id, icr))
			continue;
		if (counted && fault_fires(FAULT_IPI_WRONG_VMPL))
			vmpl = sender->vmpl == SVSM_VMPL ? options.guest_vmpl : SVSM_VMPL;
		else
			vmpl = sender->vmpl;
		deliver(sender->vcpu->id, id, vmpl, mode, vector, counted);
	}
	return true;
}
