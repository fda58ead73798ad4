/* SPDX-License-Identifier: MIT */
/* VMGEXIT with a request in the GHCB MSR. */
#include "console.h"
#include "events.h"
#include "faults.h"
#include "monitor.h"

#define GHCB_MAX_VERSION 2ull
#define GHCB_MIN_VERSION 2ull
/* Nothing is encrypted; a Genoa's C-bit is told because the field must hold something. */
#define C_BIT 51ull
#define RUN_VMPL_EINVAL 22ull

static void handle_run_vmpl(struct vcpu_vmpl *context)
{
	u64 request = context->ghcb_msr;
	u64 error = 0;

	if (fault_fires(FAULT_SWITCH_REFUSED_IGNORED) || !flavour_run_vmpl(context, GHCB_MSR_VMPL_REQ_LEVEL(request)))
		error = RUN_VMPL_EINVAL;
	context->ghcb_msr = GHCB_MSR_VMPL_RESP | error << 32;
}

/* tom has swapped the VMSA and its GHCB MSR by then, so its line shows the target's. */
static const struct vcpu_vmpl *shown_in_exit(const struct vcpu_vmpl *context)
{
	return options.flavour == FLAVOUR_TOM ? &context->vcpu->vmpl[context->vcpu->target_vmpl] : context;
}

void handle_msr_protocol(struct vcpu_vmpl *context)
{
	u64 request = context->ghcb_msr;

	trace_kvm_vmgexit_msr_protocol_enter(context);
	switch (GHCB_MSR_INFO(request)) {
	case GHCB_MSR_SEV_INFO_REQ:
		context->ghcb_msr = GHCB_MAX_VERSION << 48 | GHCB_MIN_VERSION << 32 | C_BIT << 24 |
				    GHCB_MSR_SEV_INFO_RESP;
		break;
	case GHCB_MSR_REG_GPA_REQ:
		context->ghcb_registered = request & ~0xfffull;
		context->ghcb_msr = context->ghcb_registered | GHCB_MSR_REG_GPA_RESP;
		break;
	case GHCB_MSR_VMPL_REQ:
		handle_run_vmpl(context);
		break;
	case GHCB_MSR_HV_FT_REQ:
		context->ghcb_msr = GHCB_HV_FT_SUPPORTED << 12 | GHCB_MSR_HV_FT_RESP;
		break;
	case GHCB_MSR_TERM_REQ:
		trace_kvm_vmgexit_msr_protocol_exit(context, 0);
		handle_termination(context, GHCB_MSR_TERM_REASON_SET(request), GHCB_MSR_TERM_REASON(request));
	default:
		/* KVM keeps the value of a request it does not know: that is how a caller sees it. */
		break;
	}
	trace_kvm_vmgexit_msr_protocol_exit(shown_in_exit(context), 1);
}

/* The line is the host kernel's (facts of 6.12: svm/sev.c); the model has no host log but its console. */
void handle_termination(struct vcpu_vmpl *context, u64 reason_set, u64 reason)
{
	console_printf("vmpl_model: vcpu %u vmpl %u: SEV-ES guest requested termination: 0x%lx:0x%lx\n",
		       context->vcpu->id, context->vmpl, reason_set, reason);
	monitor_stop_machine(EXIT_TERMINATED);
}
