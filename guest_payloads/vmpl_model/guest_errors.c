/* SPDX-License-Identifier: MIT */
/* Wrong requests: each must get the error that its specification names, and change nothing. */
#include "guest.h"
#include "ktap.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "svsm_protocol.h"
#include "text.h"

#define UNKNOWN_EVENT 0x80001234
#define UNKNOWN_MSR 0x10	/* the TSC: not one of the x2APIC's */
#define UNKNOWN_MSR_REQUEST 0x7ff
#define LARGE_PAGE 1

static u8 scratch[PAGE_SIZE] __page_aligned;
static u8 list_page[PAGE_SIZE] __page_aligned;

static bool expect(const char *what, u64 found, u64 wanted)
{
	if (found == wanted)
		return true;
	ktap_diagnostic("error request=%s found=0x%lx wanted=0x%lx\n", what, found, wanted);
	return false;
}

/* What ghcb_call() returns for an error with this reason. */
static u64 ghcb_error(u64 reason)
{
	return (u64)GHCB_ERROR << 32 | reason;
}

static bool check_events(void)
{
	struct ghcb *ghcb;
	bool ok;

	ghcb_begin(UNKNOWN_EVENT, 0, 0);
	ok = expect("unknown-event", ghcb_call(), ghcb_error(GHCB_ERR_INVALID_EVENT));
	ghcb_begin(GHCB_EXIT_SNP_RUN_VMPL, 9, 0);
	ok &= expect("run-vmpl-9", ghcb_call(), ghcb_error(GHCB_ERR_INVALID_INPUT));
	/* In range, but nobody lives there. */
	ghcb_begin(GHCB_EXIT_SNP_RUN_VMPL, options.guest_vmpl == 3 ? 1 : 3, 0);
	ok &= expect("run-vmpl-without-vmsa", ghcb_call(), ghcb_error(GHCB_ERR_INVALID_INPUT));
	ghcb = ghcb_begin(GHCB_EXIT_MSR, 0, 0);
	ok &= expect("msr-without-rcx", ghcb_call(), ghcb_error(GHCB_ERR_MISSING_INPUT));
	ghcb = ghcb_begin(GHCB_EXIT_MSR, 0, 0);
	GHCB_SET(ghcb, rcx, UNKNOWN_MSR);
	ok &= expect("unknown-msr", ghcb_call() >> 32, GHCB_EXCEPTION);
	ghcb_begin(GHCB_EXIT_IOIO, 0x70ull << 16 | IOIO_BYTE | IOIO_IN, 0);
	ok &= expect("unknown-port", ghcb_call(), ghcb_error(GHCB_ERR_INVALID_INPUT));
	ghcb = ghcb_begin(GHCB_EXIT_MMIO_READ, 0xfec00000, 4);
	GHCB_SET(ghcb, sw_scratch, (u64)scratch);
	ok &= expect("scratch-outside-ghcb", ghcb_call(), ghcb_error(GHCB_ERR_INVALID_SCRATCH_AREA));
	ghcb = ghcb_begin(GHCB_EXIT_HV_FEATURES, 0, 0);
	ghcb->ghcb_usage = 1;
	ok &= expect("ghcb-usage-1", ghcb_call(), ghcb_error(GHCB_ERR_INVALID_USAGE));
	ghcb = ghcb_begin(GHCB_EXIT_HV_FEATURES, 0, 0);
	ok &= expect("hv-features", ghcb_call() ? 0 : ghcb->sw_exit_info_2, GHCB_HV_FT_SUPPORTED);
	return ok;
}

static bool check_ap_creation(void)
{
	u64 invalid = ghcb_error(GHCB_ERR_INVALID_INPUT);
	struct vmsa *vmsa = (struct vmsa *)scratch;
	bool ok;

	ok = expect("ap-unknown-apic-id", ghcb_ap_creation(AP_CREATE, options.guest_vmpl, cpu_count, scratch), invalid);
	/* A VMSA that would do, if only a guest might create VMPL0; ON_INIT, so that nothing starts if it may. */
	vmsa->sev_features = SVM_SEV_FEAT_SNP_ACTIVE;
	ok &= expect("ap-at-vmpl0", ghcb_ap_creation(AP_CREATE_ON_INIT, 0, 0, scratch), invalid);
	vmsa->sev_features = 0;
	ok &= expect("ap-unknown-request", ghcb_ap_creation(3, options.guest_vmpl, 0, scratch), invalid);
	ok &= expect("ap-unaligned-vmsa", ghcb_ap_creation(AP_CREATE, options.guest_vmpl, 0, scratch + 16), invalid);
	ok &= expect("ap-empty-vmsa", ghcb_ap_creation(AP_CREATE, options.guest_vmpl, 0, scratch), invalid);
	return ok;
}

/* KVM keeps the value of a request it does not know; a GHCB that was not registered is refused. */
static bool check_msr_protocol(void)
{
	struct vmpl_cpu *self = this_vmpl_cpu();
	struct ghcb *registered = self->ghcb, *other = (struct ghcb *)scratch;
	bool ok = expect("unknown-msr-request", ghcb_msr_call(UNKNOWN_MSR_REQUEST), UNKNOWN_MSR_REQUEST);

	ok &= expect("msr-hv-features", ghcb_msr_call(GHCB_MSR_HV_FT_REQ), GHCB_HV_FT_SUPPORTED << 12 | GHCB_MSR_HV_FT_RESP);
	self->ghcb = other;
	ghcb_begin(GHCB_EXIT_HV_FEATURES, 0, 0);
	ok &= expect("unregistered-ghcb", ghcb_call(), ghcb_error(GHCB_ERR_NOT_REGISTERED));
	self->ghcb = registered;
	memset(other, 0, sizeof(*other));
	return ok;
}

static u64 svsm_result(u32 protocol, u32 call, u64 rcx, u64 rdx, u64 r8)
{
	struct svsm_registers registers = {.rax = SVSM_CALL(protocol, call), .rcx = rcx, .rdx = rdx, .r8 = r8};

	guest_svsm_call(&registers);
	return registers.rax;
}

static u64 pvalidate_result(u64 entry)
{
	struct svsm_pvalidate *list = (void *)list_page;

	*list = (struct svsm_pvalidate){.entries = 1};
	list->entry[0] = entry;
	return svsm_result(SVSM_CORE_PROTOCOL, SVSM_CORE_PVALIDATE, (u64)list, 0, 0);
}

/* Eight calls; README.md says so. */
static bool check_svsm_calls(void)
{
	u64 pfn = (u64)scratch / PAGE_SIZE, page = (u64)scratch;
	bool ok;

	ok = expect("unknown-protocol", svsm_result(99, 0, 0, 0, 0), SVSM_ERR_UNSUPPORTED_PROTOCOL);
	ok &= expect("unknown-call", svsm_result(SVSM_CORE_PROTOCOL, 99, 0, 0, 0), SVSM_ERR_UNSUPPORTED_CALL);
	ok &= expect("create-vcpu-unaligned", svsm_result(SVSM_CORE_PROTOCOL, SVSM_CORE_CREATE_VCPU, page + 8, page, 0),
		     SVSM_ERR_INVALID_ADDRESS);
	ok &= expect("create-vcpu-empty-vmsa",
		     svsm_result(SVSM_CORE_PROTOCOL, SVSM_CORE_CREATE_VCPU, page, (u64)list_page, 0),
		     SVSM_ERR_INVALID_PARAMETER);
	ok &= expect("delete-unknown-vcpu", svsm_result(SVSM_CORE_PROTOCOL, SVSM_CORE_DELETE_VCPU, page, 0, 0),
		     SVSM_ERR_INVALID_PARAMETER);
	ok &= expect("pvalidate-twice", pvalidate_result(SVSM_PVALIDATE_ENTRY(pfn, 1)),
		     SVSM_ERR_PVALIDATE(PVALIDATE_NO_CHANGE));
	ok &= expect("pvalidate-2m", pvalidate_result(SVSM_PVALIDATE_ENTRY(pfn, 1) | LARGE_PAGE),
		     SVSM_ERR_PVALIDATE(PVALIDATE_FAIL_SIZEMISMATCH));
	ok &= expect("vtpm-unaligned", svsm_result(SVSM_VTPM_PROTOCOL, SVSM_VTPM_CMD, page + 8, 0, 0),
		     SVSM_ERR_INVALID_ADDRESS);
	return ok;
}

bool guest_check_errors(void)
{
	u64 flags = irq_save();
	bool ok = check_events();

	ok &= check_ap_creation();
	ok &= check_msr_protocol();
	ok &= check_svsm_calls();
	irq_restore(flags);
	return ok;
}
