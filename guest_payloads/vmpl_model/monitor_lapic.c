/* SPDX-License-Identifier: MIT */
/* The APIC of one VMPL of one vCPU: x2APIC, reached through GHCB MSR exits. */
#include "clock.h"
#include "console.h"
#include "events.h"
#include "monitor.h"
#include "text.h"

#define LVT_RESET X2APIC_LVT_MASKED

void lapic_reset(struct lapic *apic)
{
	memset(apic, 0, sizeof(*apic));
	apic->lvtt = apic->lvt1 = LVT_RESET;
	apic->spiv = 0xff;
}

static int highest(const u32 *set)
{
	for (int word = 7; word >= 0; word--) {
		u32 bits = READ_ONCE(set[word]);

		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

/* 16.6.4: a vector is delivered when its class is above that of the one in service and of the TPR. */
int lapic_pending_vector(const struct lapic *apic)
{
	int requested = highest(apic->irr), in_service = highest(apic->isr);

	if (requested < 0 || !(apic->spiv & X2APIC_SPIV_ENABLE))
		return -1;
	if (requested >> 4 <= in_service >> 4 || (u32)requested >> 4 <= apic->tpr >> 4)
		return -1;
	return requested;
}

void lapic_acknowledge(struct lapic *apic, int vector)
{
	__atomic_fetch_and(&apic->irr[vector / 32], ~(1u << vector % 32), __ATOMIC_SEQ_CST);
	apic->isr[vector / 32] |= 1u << vector % 32;
}

void lapic_accept(unsigned cpu, struct vcpu_vmpl *target, enum delivery_mode mode, unsigned vector)
{
	trace_kvm_apic_accept_irq(cpu, target->vcpu->id, mode, vector, false);
	if (mode == DM_NMI)
		WRITE_ONCE(target->nmi_pending, true);
	else
		__atomic_fetch_or(&target->apic->irr[vector / 32], 1u << vector % 32, __ATOMIC_SEQ_CST);
	WRITE_ONCE(target->apic->wakeup_lost, false);
	vcpu_notify(target->vcpu);
}

static void end_of_interrupt(struct vcpu_vmpl *context)
{
	struct lapic *apic = context->apic;
	int vector = highest(apic->isr);

	if (vector < 0)
		return;
	apic->isr[vector / 32] &= ~(1u << vector % 32);
	trace_kvm_eoi(context->vcpu->id, context->vcpu->id, vector);
	/* One that would merge with a real one in the IRR waits for the next EOI. */
	if (apic->duplicate_vector == (u32)vector && !(READ_ONCE(apic->irr[vector / 32]) & 1u << vector % 32)) {
		apic->duplicate_vector = 0;
		lapic_accept(context->vcpu->id, context, DM_FIXED, vector);
	}
}

static void start_timer(struct lapic *apic)
{
	apic->deadline_tsc = apic->tmict ? rdtsc() + apic->tmict * tsc_khz / X2APIC_TIMER_KHZ : 0;
}

bool lapic_read_msr(struct vcpu_vmpl *context, u32 msr, u64 *value)
{
	struct lapic *apic = context->apic;

	switch (msr) {
	case X2APIC_ID:
		*value = context->vcpu->id;
		return true;
	case X2APIC_TPR:
		*value = apic->tpr;
		return true;
	case X2APIC_SPIV:
		*value = apic->spiv;
		return true;
	case X2APIC_ICR:
		*value = apic->icr;
		return true;
	case X2APIC_LVTT:
		*value = apic->lvtt;
		return true;
	case X2APIC_LVT1:
		*value = apic->lvt1;
		return true;
	case X2APIC_TMICT:
		*value = apic->tmict;
		return true;
	case X2APIC_TDCR:
		*value = X2APIC_TDCR_DIV_1;
		return true;
	default:
		return false;
	}
}

bool lapic_write_msr(struct vcpu_vmpl *context, u32 msr, u64 value)
{
	struct lapic *apic = context->apic;

	switch (msr) {
	case X2APIC_TPR:
		apic->tpr = value & 0xff;
		return true;
	case X2APIC_EOI:
		end_of_interrupt(context);
		return value == 0;
	case X2APIC_SPIV:
		apic->spiv = value;
		return true;
	case X2APIC_ICR:
		apic->icr = value;
		return irq_send_ipi(context, value);
	case X2APIC_LVTT:
		/* One-shot is the only timer mode here. */
		if (value & ~(u64)(X2APIC_LVT_MASKED | 0xff))
			return false;
		apic->lvtt = value;
		return true;
	case X2APIC_LVT1:
		apic->lvt1 = value;
		return true;
	case X2APIC_TMICT:
		apic->tmict = value;
		start_timer(apic);
		return true;
	case X2APIC_TDCR:
		return value == X2APIC_TDCR_DIV_1;
	default:
		return false;
	}
}

/* The timer stays in its own VMPL's APIC in both flavours, also while another VMPL runs. */
void lapic_expire_timers(struct vcpu *vcpu)
{
	u64 now = rdtsc();

	for (unsigned vmpl = 0; vmpl < VMPLS; vmpl++) {
		struct vcpu_vmpl *context = &vcpu->vmpl[vmpl];
		struct lapic *apic = context->apic;

		if (!apic->deadline_tsc || now < apic->deadline_tsc)
			continue;
		apic->deadline_tsc = 0;
		if (!(apic->lvtt & X2APIC_LVT_MASKED))
			lapic_accept(vcpu->id, context, DM_FIXED, apic->lvtt & 0xff);
	}
}

u64 lapic_next_deadline(const struct vcpu *vcpu)
{
	u64 next = 0;

	for (unsigned vmpl = 0; vmpl < VMPLS; vmpl++) {
		u64 deadline = vcpu->vmpl[vmpl].apic->deadline_tsc;

		if (deadline && (!next || deadline < next))
			next = deadline;
	}
	return next;
}

bool lapic_timer_is_due(const struct vcpu *vcpu)
{
	u64 next = lapic_next_deadline(vcpu);

	return next && rdtsc() >= next;
}
