/* SPDX-License-Identifier: MIT */
/* VMGEXIT with a GHCB page: the non-automatic events. */
#include "console.h"
#include "events.h"
#include "monitor.h"

#define I8042_DATA 0x60
#define I8042_STATUS 0x64
/* #GP as an event: GHCB spec, "Invoking VMGEXIT", in the format of EVENTINJ (AMD APM volume 2, 15.20). */
#define EVENT_GP (13 | 3 << 8 | 1 << 11 | 1ull << 31)

void unmap_ghcb(struct vcpu_vmpl *context)
{
	if (!context->ghcb_mapped)
		return;
	trace_kvm_vmgexit_exit(context, context->ghcb_mapped);
	context->ghcb_mapped = NULL;
}

static void fail(struct ghcb *ghcb, u64 reason)
{
	ghcb->sw_exit_info_1 = GHCB_ERROR;
	ghcb->sw_exit_info_2 = reason;
}

/* Only the i8042 is behind a VMGEXIT; it is real, so the access is done here. */
static unsigned handle_ioio(struct vcpu_vmpl *context, struct ghcb *ghcb, u64 info)
{
	u16 port = IOIO_PORT(info);

	if (info & IOIO_STRING_OR_REP || !(info & IOIO_BYTE) || (port != I8042_DATA && port != I8042_STATUS))
		return GHCB_ERR_INVALID_INPUT;
	if (info & IOIO_IN) {
		GHCB_SET(ghcb, rax, inb(port));
		if (port == I8042_DATA)
			irq_lower_keyboard(context->vcpu);
	} else if (GHCB_IS_VALID(ghcb, rax)) {
		outb(port, ghcb->rax);
	} else {
		return GHCB_ERR_MISSING_INPUT;
	}
	return 0;
}

static unsigned handle_msr(struct vcpu_vmpl *context, struct ghcb *ghcb, u64 write)
{
	u64 value;
	bool known;

	if (!GHCB_IS_VALID(ghcb, rcx) || (write && !(GHCB_IS_VALID(ghcb, rax) && GHCB_IS_VALID(ghcb, rdx))))
		return GHCB_ERR_MISSING_INPUT;
	if (write) {
		known = lapic_write_msr(context, ghcb->rcx, (u32)ghcb->rax | ghcb->rdx << 32);
	} else {
		known = lapic_read_msr(context, ghcb->rcx, &value);
		if (known) {
			GHCB_SET(ghcb, rax, (u32)value);
			GHCB_SET(ghcb, rdx, value >> 32);
		}
	}
	if (!known) {
		ghcb->sw_exit_info_1 = GHCB_EXCEPTION;
		ghcb->sw_exit_info_2 = EVENT_GP;
	}
	return 0;
}

static unsigned handle_mmio(struct ghcb *ghcb, u64 gpa, u64 bytes, bool write)
{
	if (!GHCB_IS_VALID(ghcb, sw_scratch))
		return GHCB_ERR_MISSING_INPUT;
	if (ghcb->sw_scratch != (u64)ghcb->shared_buffer)
		return GHCB_ERR_INVALID_SCRATCH_AREA;
	return ioapic_mmio(gpa, bytes, write, (u32 *)ghcb->shared_buffer) ? 0 : GHCB_ERR_INVALID_INPUT;
}

static unsigned handle_run_vmpl(struct vcpu_vmpl *context, u64 vmpl)
{
	/* RFC patch 3 unmaps the GHCB here, so kvm_vmgexit_exit comes before the switch; else it comes with the next
	 * entry of this context. */
	if (!flavour_is_planes())
		unmap_ghcb(context);
	return flavour_run_vmpl(context, vmpl) ? 0 : GHCB_ERR_INVALID_INPUT;
}

static unsigned handle_event(struct vcpu_vmpl *context, struct ghcb *ghcb, u64 info_1, u64 info_2)
{
	switch (ghcb->sw_exit_code) {
	case GHCB_EXIT_IOIO:
		return handle_ioio(context, ghcb, info_1);
	case GHCB_EXIT_MSR:
		return handle_msr(context, ghcb, info_1);
	case GHCB_EXIT_MMIO_READ:
		return handle_mmio(ghcb, info_1, info_2, false);
	case GHCB_EXIT_MMIO_WRITE:
		return handle_mmio(ghcb, info_1, info_2, true);
	case GHCB_EXIT_PSC:
		ghcb->sw_exit_info_2 = handle_psc(ghcb);
		return 0;
	case GHCB_EXIT_AP_CREATION:
		return handle_ap_creation(context, ghcb, info_1, info_2);
	case GHCB_EXIT_SNP_RUN_VMPL:
		return handle_run_vmpl(context, info_1);
	case GHCB_EXIT_HV_FEATURES:
		ghcb->sw_exit_info_2 = GHCB_HV_FT_SUPPORTED;
		return 0;
	case GHCB_EXIT_TERM_REQUEST:
		handle_termination(context, info_1, info_2);
	default:
		return GHCB_ERR_INVALID_EVENT;
	}
}

/* sev_es_validate_vmgexit: what must hold before the event is looked at. */
static unsigned validate(const struct vcpu_vmpl *context, const struct ghcb *ghcb)
{
	if (context->ghcb_msr != context->ghcb_registered)
		return GHCB_ERR_NOT_REGISTERED;
	if (ghcb->ghcb_usage)
		return GHCB_ERR_INVALID_USAGE;
	if (!GHCB_IS_VALID(ghcb, sw_exit_code) || !GHCB_IS_VALID(ghcb, sw_exit_info_1) ||
	    !GHCB_IS_VALID(ghcb, sw_exit_info_2))
		return GHCB_ERR_MISSING_INPUT;
	return 0;
}

void handle_vmgexit(struct vcpu_vmpl *context)
{
	struct ghcb *ghcb = (struct ghcb *)context->ghcb_msr;
	u64 info_1, info_2;
	unsigned reason;

	if (GHCB_MSR_INFO(context->ghcb_msr)) {
		handle_msr_protocol(context);
		return;
	}
	if (!ghcb)
		model_bug("VMGEXIT of vcpu %u vmpl %u without a GHCB", context->vcpu->id, context->vmpl);
	context->ghcb_mapped = ghcb;
	trace_kvm_vmgexit_enter(context, ghcb);
	reason = validate(context, ghcb);
	info_1 = ghcb->sw_exit_info_1;
	info_2 = ghcb->sw_exit_info_2;
	ghcb->sw_exit_info_1 = GHCB_NO_ERROR;
	ghcb->sw_exit_info_2 = 0;
	if (!reason)
		reason = handle_event(context, ghcb, info_1, info_2);
	if (reason)
		fail(ghcb, reason);
}
