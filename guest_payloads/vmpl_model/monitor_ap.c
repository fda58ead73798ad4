/* SPDX-License-Identifier: MIT */
/* AP creation and page state: what a VMPL asks for beyond its own vCPU. */
#include "console.h"
#include "faults.h"
#include "monitor.h"
#include "page_state.h"
#include "smp.h"

/* sev_snp_ap_creation: a bad request is an invalid input, and changes nothing. */
unsigned handle_ap_creation(struct vcpu_vmpl *caller, const struct ghcb *ghcb, u64 info, u64 vmsa_pa)
{
	unsigned request = AP_CREATION_REQUEST(info), vmpl = AP_CREATION_VMPL(info);
	u64 apic_id = AP_CREATION_APIC_ID(info);
	struct vmsa *vmsa = NULL;
	struct vcpu_vmpl *target;
	bool triple_fault = false;

	if (apic_id >= cpu_count || vmpl >= VMPLS || request > AP_DESTROY)
		return GHCB_ERR_INVALID_INPUT;
	/* A VMPL may create at its own level and below (AMD APM volume 2, 15.36.7: lower number, more privilege). */
	if (vmpl < caller->vmpl)
		return GHCB_ERR_INVALID_INPUT;
	if (request != AP_DESTROY) {
		if (!GHCB_IS_VALID(ghcb, rax))
			return GHCB_ERR_MISSING_INPUT;
		if (!vmsa_pa || vmsa_pa % PAGE_SIZE || vmsa_pa >= MEMORY_BYTES)
			return GHCB_ERR_INVALID_INPUT;
		vmsa = (struct vmsa *)vmsa_pa;
		if (vmsa->sev_features != ghcb->rax || vmsa->save.vmpl != vmpl)
			return GHCB_ERR_INVALID_INPUT;
	}
	if (request == AP_CREATE) {
		if (fault_fires(FAULT_AP_START_HANG))
			return 0;
		triple_fault = fault_fires(FAULT_AP_START_TRIPLE_FAULT);
	}

	target = &vcpus[apic_id].vmpl[vmpl];
	spin_lock(&target->vcpu->lock);
	target->ap_request_vmsa = vmsa;
	target->ap_request_start = request == AP_CREATE;
	target->ap_request_triple_fault = triple_fault;
	WRITE_ONCE(target->ap_request_pending, true);
	spin_unlock(&target->vcpu->lock);
	vcpu_notify(target->vcpu);
	return 0;
}

/* What the hypervisor believes of a page; there is no RMP to disagree. */
static u8 shared[MEMORY_PAGES / 8];

u64 handle_psc(struct ghcb *ghcb)
{
	struct psc_header *header = (void *)ghcb->shared_buffer;
	const u64 *entries = (void *)(header + 1);

	if (header->cur_entry > header->end_entry || header->end_entry >= PSC_MAX_ENTRIES)
		return PSC_ERROR_INVALID_HEADER;
	for (; header->cur_entry <= header->end_entry; header->cur_entry++) {
		u64 entry = entries[header->cur_entry], gfn = PSC_GFN(entry), operation = PSC_OPERATION(entry);

		if (gfn >= MEMORY_PAGES || (operation != PSC_PRIVATE && operation != PSC_SHARED))
			return PSC_ERROR_INVALID_ENTRY;
		if (operation == PSC_SHARED)
			__atomic_fetch_or(&shared[gfn / 8], 1 << gfn % 8, __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(&shared[gfn / 8], ~(1 << gfn % 8), __ATOMIC_RELAXED);
	}
	return 0;
}
