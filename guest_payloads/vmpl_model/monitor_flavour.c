/* SPDX-License-Identifier: MIT */
/* What differs between the kinds of KVM: who runs next, and what a Run-VMPL request does. */
#include "console.h"
#include "events.h"
#include "faults.h"
#include "monitor.h"

bool flavour_is_planes(void)
{
	return options.flavour == FLAVOUR_PLANES_V1;
}

/* An event ends HLT; a context that lost its wake-up sleeps on until lapic_accept() takes another interrupt. */
static bool try_wake(struct vcpu_vmpl *context)
{
	if (context->mp_state == MP_HALTED && !context->apic->wakeup_lost && vcpu_has_event(context)) {
		if (fault_fires(FAULT_HLT_LOST_WAKEUP))
			context->apic->wakeup_lost = true;
		else
			context->mp_state = MP_RUNNABLE;
	}
	return context->vmsa && context->mp_state == MP_RUNNABLE;
}

/*
 * RFC patch 2, kvm_arch_vcpu_ioctl_run: run the target; one event for each switch, in either direction. A target
 * that another vCPU set is noticed only when the inner loop ends, which is when the context blocks.
 */
static struct vcpu_vmpl *roy_select(struct vcpu *vcpu)
{
	struct vcpu_vmpl *context = &vcpu->vmpl[vcpu->current_vmpl];

	if (vcpu->switch_when_blocked && try_wake(context))
		return context;
	vcpu->switch_when_blocked = false;
	if (vcpu->current_vmpl != vcpu->target_vmpl) {
		/* tom swaps the VMSA of one kvm_vcpu in the same way, and has no event for it. */
		if (options.flavour == FLAVOUR_ROY)
			trace_kvm_switch(vcpu, vcpu->current_vmpl, vcpu->target_vmpl);
		vcpu->current_vmpl = vcpu->target_vmpl;
		context = &vcpu->vmpl[vcpu->current_vmpl];
	}
	return try_wake(context) ? context : NULL;
}

/*
 * kvm_vcpu_select_plane of the series of June 2026: the lowest runnable plane. Plane 0 becomes runnable without a
 * request when it has an event it can take. That a plane asleep in HLT lets a higher one run is inferred from the
 * series' description, not read in it.
 */
static struct vcpu_vmpl *planes_select(struct vcpu *vcpu)
{
	struct vcpu_vmpl *plane_0 = &vcpu->vmpl[SVSM_VMPL];

	if (plane_0->vmsa && !plane_0->plane_runnable && vcpu_has_event(plane_0))
		plane_0->plane_runnable = true;
	for (unsigned vmpl = 0; vmpl < VMPLS; vmpl++) {
		struct vcpu_vmpl *context = &vcpu->vmpl[vmpl];

		if (!context->plane_runnable || !try_wake(context))
			continue;
		vcpu->current_vmpl = vcpu->target_vmpl = vmpl;
		return context;
	}
	return NULL;
}

struct vcpu_vmpl *flavour_select(struct vcpu *vcpu)
{
	return flavour_is_planes() ? planes_select(vcpu) : roy_select(vcpu);
}

bool flavour_run_vmpl(struct vcpu_vmpl *caller, unsigned vmpl)
{
	struct vcpu *vcpu = caller->vcpu;
	struct vcpu_vmpl *target;

	/* The RFC indexes its array before this check; the model does not copy that mistake. */
	if (vmpl >= VMPLS)
		return false;
	target = &vcpu->vmpl[vmpl];
	vcpu_install_requested(vcpu, target, true);
	if (!target->vmsa)
		return false;
	/* RFC patch 3: asking for the current VMPL is a no-op, no switch event. */
	if (target == caller)
		return true;
	if (fault_fires(FAULT_SWITCH_DROPPED))
		return true;
	/* A target that sleeps in HLT is made to run, as AP creation does with VMPL0 in the RFC. */
	target->mp_state = MP_RUNNABLE;
	target->apic->wakeup_lost = false;
	if (flavour_is_planes()) {
		target->plane_runnable = true;
		caller->plane_runnable = false;
	} else {
		vcpu->target_vmpl = vmpl;
		vcpu->switch_when_blocked = false;
	}
	return true;
}

bool flavour_stays(const struct vcpu_vmpl *context)
{
	if (flavour_is_planes())
		return context->plane_runnable;
	return context->vcpu->target_vmpl == (int)context->vmpl;
}

void flavour_ap_started(struct vcpu_vmpl *context)
{
	struct vcpu *vcpu = context->vcpu;

	context->plane_runnable = true;
	if (flavour_is_planes())
		return;
	vcpu->target_vmpl = context->vmpl;
	vcpu->switch_when_blocked = vcpu->current_vmpl != vcpu->target_vmpl;
}
