/* SPDX-License-Identifier: MIT */
#include "events.h"

#include "trace.h"

static const char *const delivery_modes[] = {
	[DM_FIXED] = "Fixed", [DM_LOWEST] = "LowPrio", [DM_SMI] = "SMI", [DM_RESERVED] = "Res3",
	[DM_NMI] = "NMI", [DM_INIT] = "INIT", [DM_STARTUP] = "SIPI", [DM_EXTINT] = "ExtINT",
};

static const char *const shorthands[] = {
	[TO_DESTINATION] = "dst", [TO_SELF] = "self", [TO_ALL] = "all", [TO_ALL_BUT_SELF] = "all-but-self",
};

/* arch/x86/include/uapi/asm/svm.h, SVM_EXIT_REASONS. */
static const char *exit_reason(u64 exit_code)
{
	switch (exit_code) {
	case VMEXIT_INTR:
		return "interrupt";
	case VMEXIT_NMI:
		return "nmi";
	case VMEXIT_VINTR:
		return "vintr";
	case VMEXIT_HLT:
		return "hlt";
	case VMEXIT_SHUTDOWN:
		return "shutdown";
	case VMEXIT_VMGEXIT:
		return "vmgexit";
	default:
		return "UNKNOWN";
	}
}

/* 7.1 prints 0 for a guest with protected state (tracing_kvm_rip_read). */
static u64 traced_rip(const struct vcpu_vmpl *context)
{
	return flavour_is_planes() ? 0 : context->vmsa->save.rip;
}

void trace_kvm_entry(const struct vcpu_vmpl *context)
{
	const struct vcpu *vcpu = context->vcpu;
	u64 event = context->vmcb->control.event_inj;

	if (options.flavour == FLAVOUR_ROY)
		trace_event(vcpu->id, "kvm_entry", "vcpu %u, rip 0x%lx, vcpu_vmpl %d, current_vmpl %d, target_vmpl %d",
			    vcpu->id, traced_rip(context), context->vmpl, vcpu->current_vmpl, vcpu->target_vmpl);
	else if (options.flavour == FLAVOUR_TOM)
		trace_event(vcpu->id, "kvm_entry", "vcpu %u, rip 0x%lx", vcpu->id, traced_rip(context));
	else
		trace_event(vcpu->id, "kvm_entry", "vcpu %u, rip 0x%lx intr_info 0x%08x error_code 0x%08x", vcpu->id,
			    traced_rip(context), (u32)event, (u32)(event >> 32));
}

void trace_kvm_exit(const struct vcpu_vmpl *context, u64 exit_code)
{
	const struct vmcb_control *control = &context->vmcb->control;
	unsigned id = context->vcpu->id;
	/* Of the exits that are traced only SHUTDOWN could carry information, and it carries none. */
	u64 info = 0;

	if (!flavour_is_planes())
		trace_event(id, "kvm_exit",
			    "vcpu %u reason %s rip 0x%lx info1 0x%016lx info2 0x%016lx intr_info 0x%08x error_code 0x%08x", id,
			    exit_reason(exit_code), traced_rip(context), info, info, (u32)control->exit_int_info,
			    (u32)(control->exit_int_info >> 32));
	else
		trace_event(id, "kvm_exit",
			    "vcpu %u reason %s rip 0x%lx info1 0x%016lx info2 0x%016lx intr_info 0x%08x error_code 0x%08x "
			    "requests 0x%016lx",
			    id, exit_reason(exit_code), traced_rip(context), info, info, (u32)control->exit_int_info,
			    (u32)(control->exit_int_info >> 32), 0ul);
}

void trace_kvm_switch(const struct vcpu *vcpu, int current_vmpl, int target_vmpl)
{
	trace_event(vcpu->id, "kvm_arch_vcpu_ioctl_run_vtl_switch", "vcpu %u: current_vmpl %d, target vtl %d", vcpu->id,
		    current_vmpl, target_vmpl);
}

void trace_kvm_vmgexit_enter(const struct vcpu_vmpl *context, const struct ghcb *ghcb)
{
	trace_event(context->vcpu->id, "kvm_vmgexit_enter", "vcpu %u, exit_reason %lx, exit_info1 %lx, exit_info2 %lx",
		    context->vcpu->id, ghcb->sw_exit_code, ghcb->sw_exit_info_1, ghcb->sw_exit_info_2);
}

void trace_kvm_vmgexit_exit(const struct vcpu_vmpl *context, const struct ghcb *ghcb)
{
	trace_event(context->vcpu->id, "kvm_vmgexit_exit", "vcpu %u, exit_reason %lx, exit_info1 %lx, exit_info2 %lx",
		    context->vcpu->id, ghcb->sw_exit_code, ghcb->sw_exit_info_1, ghcb->sw_exit_info_2);
}

void trace_kvm_vmgexit_msr_protocol_enter(const struct vcpu_vmpl *context)
{
	trace_event(context->vcpu->id, "kvm_vmgexit_msr_protocol_enter", "vcpu %u, ghcb_gpa %016lx", context->vcpu->id,
		    context->ghcb_msr);
}

void trace_kvm_vmgexit_msr_protocol_exit(const struct vcpu_vmpl *context, int result)
{
	trace_event(context->vcpu->id, "kvm_vmgexit_msr_protocol_exit", "vcpu %u, ghcb_gpa %016lx, result %d",
		    context->vcpu->id, context->ghcb_msr, result);
}

void trace_kvm_inj_virq(unsigned cpu, unsigned vector, bool reinjected)
{
	trace_event(cpu, "kvm_inj_virq", "IRQ 0x%x%s", vector, reinjected ? " [reinjected]" : "");
}

void trace_kvm_apic_accept_irq(unsigned cpu, unsigned apic_id, enum delivery_mode mode, unsigned vector, bool level)
{
	trace_event(cpu, "kvm_apic_accept_irq", "apicid %x vec %u (%s|%s)", apic_id, vector, delivery_modes[mode],
		    level ? "level" : "edge");
}

void trace_kvm_apic_ipi(unsigned cpu, u64 icr)
{
	trace_event(cpu, "kvm_apic_ipi", "dst %x vec %u (%s|%s|%s|%s|%s)", (u32)ICR_DESTINATION(icr),
		    (u32)ICR_VECTOR(icr), delivery_modes[ICR_MODE(icr)], icr & ICR_LOGICAL ? "logical" : "physical",
		    icr & ICR_ASSERT ? "assert" : "de-assert", icr & ICR_LEVEL ? "level" : "edge",
		    shorthands[ICR_SHORTHAND(icr)]);
}

void trace_kvm_eoi(unsigned cpu, unsigned apic_id, unsigned vector)
{
	trace_event(cpu, "kvm_eoi", "apicid %x vector %d", apic_id, vector);
}

void trace_kvm_set_irq(unsigned cpu, unsigned gsi, int level)
{
	trace_event(cpu, "kvm_set_irq", "gsi %u level %d source 0", gsi, level);
}

void trace_kvm_ioapic_set_irq(unsigned cpu, unsigned pin, struct ioapic_route route, bool coalesced)
{
	trace_event(cpu, "kvm_ioapic_set_irq", "pin %u dst %x vec %u (%s|%s|%s%s)%s", pin, route.destination,
		    route.vector, delivery_modes[route.mode], route.logical ? "logical" : "physical",
		    route.level ? "level" : "edge", route.masked ? "|masked" : "", coalesced ? " (coalesced)" : "");
}

void trace_kvm_msi_set_irq(unsigned cpu, struct ioapic_route route)
{
	trace_event(cpu, "kvm_msi_set_irq", "dst %x vec %u (%s|%s|%s%s)", route.destination, route.vector,
		    delivery_modes[route.mode], route.logical ? "logical" : "physical", route.level ? "level" : "edge",
		    "");
}
