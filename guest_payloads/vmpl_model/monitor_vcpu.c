/* SPDX-License-Identifier: MIT */
/* vCPUs and their contexts: creation, VMSA installation, notification. */
#include "apic.h"
#include "console.h"
#include "faults.h"
#include "monitor.h"
#include "text.h"

struct vcpu vcpus[MAX_CPUS];
/*
 * Where device interrupts go. roy: 0 until the first VMSA of a higher VMPL is installed, then that VMPL, never
 * lowered (RFC patch 4). planes-v1: QEMU's device-plane, fixed (RFC of June 2026: the plane that set the GSI
 * routing gets them all).
 */
unsigned default_irq_vmpl;

static struct vmcb vmcbs[MAX_CPUS][VMPLS] __page_aligned;

void vcpu_init(unsigned id)
{
	struct vcpu *vcpu = &vcpus[id];

	vcpu->id = id;
	for (unsigned vmpl = 0; vmpl < VMPLS; vmpl++) {
		struct vcpu_vmpl *context = &vcpu->vmpl[vmpl];

		context->vmcb = &vmcbs[id][vmpl];
		context->vcpu = vcpu;
		context->vmpl = vmpl;
		context->mp_state = MP_UNINITIALIZED;
		context->ghcb_registered = ~0ull;
		/* RFC patch 3: a VMPL above 0 has the ASID of VMPL0. */
		svm_init_controls(context->vmcb, 1);
		context->apic = options.flavour == FLAVOUR_TOM ? &vcpu->vmpl[SVSM_VMPL].own_apic : &context->own_apic;
		lapic_reset(context->apic);
	}
}

void vcpu_notify(struct vcpu *vcpu)
{
	u32 in_guest = IN_GUEST_MODE;

	__atomic_store_n(&vcpu->requests, 1, __ATOMIC_SEQ_CST);
	/* Pairs with the store of IN_GUEST_MODE before requests is read: one side always sees the other. */
	if (__atomic_compare_exchange_n(&vcpu->mode, &in_guest, EXITING_GUEST_MODE, false, __ATOMIC_SEQ_CST,
					__ATOMIC_SEQ_CST))
		apic_kick(vcpu->id);
}

static void raise_default_irq_vmpl(unsigned vmpl)
{
	if (options.flavour != FLAVOUR_ROY || vmpl <= READ_ONCE(default_irq_vmpl))
		return;
	if (fault_fires(FAULT_DEFAULT_VMPL_NEVER_RAISED))
		return;
	WRITE_ONCE(default_irq_vmpl, vmpl);
}

static void install(struct vcpu_vmpl *context, struct vmsa *vmsa, bool triple_fault)
{
	context->vmsa = vmsa;
	context->mp_state = MP_RUNNABLE;
	context->ghcb_msr = 0;
	context->ghcb_registered = ~0ull;
	context->nmi_pending = false;
	lapic_reset(context->apic);
	svm_init_controls(context->vmcb, 1);
	memcpy(&context->vmcb->save, &vmsa->save, sizeof(vmsa->save));
	/* Without an IDT the NMI finds no gate, then no gate for #GP, then none for #DF. */
	if (triple_fault) {
		context->vmcb->save.idtr.limit = 0;
		context->nmi_pending = true;
	}
	raise_default_irq_vmpl(context->vmpl);
}

void vcpu_install_requested(struct vcpu *vcpu, struct vcpu_vmpl *context, bool on_run)
{
	struct vmsa *vmsa;
	bool start, triple_fault;

	if (!READ_ONCE(context->ap_request_pending))
		return;
	spin_lock(&vcpu->lock);
	vmsa = context->ap_request_vmsa;
	start = context->ap_request_start;
	triple_fault = context->ap_request_triple_fault;
	if (vmsa && !start && !on_run) {
		spin_unlock(&vcpu->lock);
		return;
	}
	context->ap_request_pending = false;
	spin_unlock(&vcpu->lock);
	if (!vmsa) {
		context->vmsa = NULL;
		context->mp_state = MP_UNINITIALIZED;
		context->plane_runnable = false;
		return;
	}
	install(context, vmsa, triple_fault);
	if (start)
		flavour_ap_started(context);
}

/* tom: VMPL0 has Restricted Injection, so the one APIC injects nothing while it runs. */
bool vcpu_has_restricted_injection(const struct vcpu_vmpl *context)
{
	return options.flavour == FLAVOUR_TOM && context->vmpl == SVSM_VMPL;
}

bool vcpu_irq_allowed(const struct vcpu_vmpl *context)
{
	if (vcpu_has_restricted_injection(context))
		return false;
	return context->vmsa->save.rflags & X86_EFLAGS_IF && !(context->vmcb->control.int_state & INTERRUPT_SHADOW);
}

bool vcpu_has_event(struct vcpu_vmpl *context)
{
	if (READ_ONCE(context->nmi_pending))
		return true;
	return vcpu_irq_allowed(context) && lapic_pending_vector(context->apic) >= 0;
}
