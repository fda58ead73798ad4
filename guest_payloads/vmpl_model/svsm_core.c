/* SPDX-License-Identifier: MIT */
/* SVSM spec, "Core Protocol": query, create and delete vCPU, PVALIDATE as bookkeeping. */
#include "options.h"
#include "page_state.h"
#include "processor.h"
#include "smp.h"
#include "svsm.h"

#define CORE_VERSION 1ull
#define VTPM_VERSION 1ull

/* No RMP: validated or not is all that is known of a page. Everything is validated at launch. */
static u8 rescinded[MEMORY_PAGES / 8];

static bool is_page(u64 pa)
{
	return pa && !(pa % PAGE_SIZE) && pa < MEMORY_BYTES;
}

static bool is_validated(u64 pfn)
{
	return !(READ_ONCE(rescinded[pfn / 8]) & 1 << pfn % 8);
}

void svsm_register_guest(unsigned cpu, struct vmsa *vmsa, struct svsm_ca *ca)
{
	WRITE_ONCE(svsm_cpus[cpu].guest_vmsa, vmsa);
	WRITE_ONCE(svsm_cpus[cpu].guest_ca, ca);
}

static u32 query_protocol(struct svsm_request *request)
{
	u32 protocol = request->rcx >> 32, version = request->rcx;
	u64 supported = protocol == SVSM_CORE_PROTOCOL ? CORE_VERSION : protocol == SVSM_VTPM_PROTOCOL ? VTPM_VERSION : 0;

	request->rcx = version == supported ? supported << 32 | supported : 0;
	return SVSM_SUCCESS;
}

static u32 create_vcpu(struct svsm_request *request)
{
	struct vmsa *vmsa = (struct vmsa *)request->rcx;
	u64 apic_id = request->r8;

	if (!is_page(request->rcx) || !is_page(request->rdx) || request->rcx == request->rdx)
		return SVSM_ERR_INVALID_ADDRESS;
	if (!is_validated(request->rcx / PAGE_SIZE) || !is_validated(request->rdx / PAGE_SIZE))
		return SVSM_ERR_INVALID_ADDRESS;
	if (apic_id >= cpu_count || vmsa->save.vmpl != options.guest_vmpl || !(vmsa->save.efer & EFER_SVME))
		return SVSM_ERR_INVALID_PARAMETER;
	if (svsm_cpus[apic_id].guest_vmsa)
		return SVSM_ERR_INVALID_REQUEST;
	svsm_register_guest(apic_id, vmsa, (struct svsm_ca *)request->rdx);
	return SVSM_SUCCESS;
}

static u32 delete_vcpu(struct svsm_request *request)
{
	for (unsigned cpu = 0; cpu < cpu_count; cpu++) {
		if (!svsm_cpus[cpu].guest_vmsa || (u64)svsm_cpus[cpu].guest_vmsa != request->rcx)
			continue;
		if (cpu == this_vmpl_cpu()->cpu)
			return SVSM_ERR_INVALID_REQUEST;
		svsm_register_guest(cpu, NULL, NULL);
		return SVSM_SUCCESS;
	}
	return SVSM_ERR_INVALID_PARAMETER;
}

/* What PVALIDATE would put into EAX, or PVALIDATE_NO_CHANGE for CF (AMD APM volume 3, PVALIDATE). */
static u32 validate_page(u64 entry)
{
	u64 pfn = SVSM_PVALIDATE_PFN(entry);
	bool validate = SVSM_PVALIDATE_VALIDATE(entry);

	/* Every page of the model is assigned as 4 KiB. */
	if (SVSM_PVALIDATE_PAGE_SIZE(entry))
		return PVALIDATE_FAIL_SIZEMISMATCH;
	if (is_validated(pfn) == validate)
		return SVSM_PVALIDATE_IGNORE_CF(entry) ? 0 : PVALIDATE_NO_CHANGE;
	if (validate)
		__atomic_fetch_and(&rescinded[pfn / 8], ~(1 << pfn % 8), __ATOMIC_RELAXED);
	else
		__atomic_fetch_or(&rescinded[pfn / 8], 1 << pfn % 8, __ATOMIC_RELAXED);
	return 0;
}

static u32 pvalidate(struct svsm_request *request)
{
	struct svsm_pvalidate *list = (struct svsm_pvalidate *)request->rcx;

	if (!is_page(request->rcx & ~7ull) && (request->rcx % 8 || request->rcx >= MEMORY_BYTES))
		return SVSM_ERR_INVALID_ADDRESS;
	if (!list->entries || list->entries > SVSM_PVALIDATE_MAX_COUNT || list->next >= list->entries)
		return SVSM_ERR_INVALID_PARAMETER;
	for (; list->next < list->entries; list->next++) {
		u64 entry = list->entry[list->next];
		u32 eax;

		if (SVSM_PVALIDATE_PFN(entry) >= MEMORY_PAGES)
			return SVSM_ERR_INVALID_ADDRESS;
		eax = validate_page(entry);
		if (eax)
			return SVSM_ERR_PVALIDATE(eax);
	}
	return SVSM_SUCCESS;
}

u32 svsm_core_request(struct svsm_request *request)
{
	switch (request->call) {
	case SVSM_CORE_PVALIDATE:
		return pvalidate(request);
	case SVSM_CORE_CREATE_VCPU:
		return create_vcpu(request);
	case SVSM_CORE_DELETE_VCPU:
		return delete_vcpu(request);
	case SVSM_CORE_QUERY_PROTOCOL:
		return query_protocol(request);
	default:
		return SVSM_ERR_UNSUPPORTED_CALL;
	}
}
