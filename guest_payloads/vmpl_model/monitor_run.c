/* SPDX-License-Identifier: MIT */
/* The loop of one vCPU thread: select, inject, enter, handle the exit. */
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "desc.h"
#include "events.h"
#include "faults.h"
#include "monitor.h"
#include "smp.h"
#include "trace.h"

void monitor_isr(const struct isr_frame *frame);

/* Handlers only take notes: the loop writes the trace, and a trace line must not be interrupted. */
void monitor_isr(const struct isr_frame *frame)
{
	struct vcpu *vcpu = &vcpus[smp_cpu()];

	switch (frame->vector) {
	case NMI_VECTOR:
		/* CLI holds no NMI back: it may come between the last look at requests and HLT, which must not sleep then. */
		__atomic_fetch_add(&vcpu->host_nmi, 1, __ATOMIC_SEQ_CST);
		apic_kick_self();
		break;
	case HOST_VECTOR_KEYBOARD:
		vcpu->host_keyboard++;
		apic_eoi();
		break;
	case HOST_VECTOR_TIMER:
		vcpu->armed_tsc = 0;
		apic_eoi();
		if (!lapic_timer_is_due(vcpu))
			return;
		break;
	case HOST_VECTOR_KICK:
		/* The sender has set requests; where that was seen before, there is nothing more to do. */
		apic_eoi();
		return;
	case HOST_VECTOR_SPURIOUS:
		return;
	default:
		model_bug("exception %lu in the monitor, cpu %u rip 0x%lx error 0x%lx", frame->vector, vcpu->id,
			  frame->rip, frame->error_code);
	}
	__atomic_store_n(&vcpu->requests, 1, __ATOMIC_SEQ_CST);
}

void monitor_stop_machine(enum exit_value value)
{
	trace_end(smp_cpu());
	fault_summarise();
	leave_qemu(value);
}

static void take_host_events(struct vcpu *vcpu)
{
	for (; vcpu->host_keyboard; vcpu->host_keyboard--)
		irq_raise_keyboard(vcpu);
	if (__atomic_exchange_n(&vcpu->host_nmi, 0, __ATOMIC_SEQ_CST))
		irq_raise_nmi(vcpu);
	for (unsigned vmpl = 0; vmpl < VMPLS; vmpl++)
		vcpu_install_requested(vcpu, &vcpu->vmpl[vmpl], false);
	lapic_expire_timers(vcpu);
}

/* The next deadline of an emulated timer, or of the trace: a guest that spins for ever must not keep its lines. */
static void arm_host_timer(struct vcpu *vcpu)
{
	u64 deadline = lapic_next_deadline(vcpu), flush = trace_flush_deadline(vcpu->id), now;

	if (flush && (!deadline || flush < deadline))
		deadline = flush;
	if (deadline == vcpu->armed_tsc)
		return;
	vcpu->armed_tsc = deadline;
	now = rdtsc();
	apic_timer_start(!deadline ? 0 : clock_tsc_to_apic_ticks(deadline > now ? deadline - now : 0));
}

/* Announce guest mode; false when a request came first. Pairs with vcpu_notify(). */
static bool enter_guest_mode(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->mode, IN_GUEST_MODE, __ATOMIC_SEQ_CST);
	if (!__atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST))
		return true;
	__atomic_store_n(&vcpu->mode, OUTSIDE_GUEST_MODE, __ATOMIC_SEQ_CST);
	return false;
}

static void leave_guest_mode(struct vcpu *vcpu)
{
	__atomic_store_n(&vcpu->mode, OUTSIDE_GUEST_MODE, __ATOMIC_SEQ_CST);
}

static void sleep_until_request(struct vcpu *vcpu)
{
	trace_flush(vcpu->id);
	if (!enter_guest_mode(vcpu))
		return;
	while (!READ_ONCE(vcpu->requests)) {
		arm_host_timer(vcpu);
		sti_hlt();
		cli();
	}
	leave_guest_mode(vcpu);
}

/*
 * `sti; hlt` and `sti; rep; vmmcall` rely on STI's shadow: an interrupt must find the CPU asleep, or the request
 * made. When a host interrupt ends the guest inside the shadow, QEMU's TCG (7.2, helper_vmrun) forgets it at the
 * next VMRUN. Both instructions exit by themselves, so no window is needed to come back.
 */
static bool exits_in_shadow(const struct vcpu_vmpl *context)
{
	const u8 *code = (const u8 *)context->vmsa->save.rip;

	return context->vmcb->control.int_state & INTERRUPT_SHADOW && (code[0] == HLT_OPCODE || code[0] == REP_PREFIX);
}

static void inject(struct vcpu_vmpl *context)
{
	struct vmcb_control *control = &context->vmcb->control;
	int vector;

	/* 15.20: an event whose delivery the exit interrupted is delivered again. */
	control->event_inj = control->exit_int_info & EVENTINJ_VALID ? control->exit_int_info : 0;
	control->exit_int_info = 0;
	if (control->event_inj && (control->event_inj & EVENTINJ_TYPE_MASK) == EVENTINJ_TYPE_INTR)
		trace_kvm_inj_virq(context->vcpu->id, control->event_inj & 0xff, true);
	if (!control->event_inj && context->nmi_pending) {
		context->nmi_pending = false;
		control->event_inj = EVENTINJ_VALID | EVENTINJ_TYPE_NMI | NMI_VECTOR;
	}
	vector = lapic_pending_vector(context->apic);
	if (vector < 0)
		return;
	if (!control->event_inj && vcpu_irq_allowed(context)) {
		lapic_acknowledge(context->apic, vector);
		control->event_inj = EVENTINJ_VALID | EVENTINJ_TYPE_INTR | vector;
		trace_kvm_inj_virq(context->vcpu->id, vector, false);
		return;
	}
	if (exits_in_shadow(context) || vcpu_has_restricted_injection(context))
		return;
	/* 15.21.4: a virtual interrupt whose intercept says when the guest can take one. */
	control->int_ctl |= V_IRQ | V_INTR_PRIO_HIGHEST | V_IGN_TPR;
	control->intercept_misc1 |= INTERCEPT_VINTR;
}

static void close_irq_window(struct vmcb_control *control)
{
	control->int_ctl &= ~(V_IRQ | V_INTR_PRIO_HIGHEST | V_IGN_TPR);
	control->intercept_misc1 &= ~INTERCEPT_VINTR;
}

static void skip_instruction(struct vcpu_vmpl *context, unsigned bytes)
{
	context->vmsa->save.rip += bytes;
	context->vmcb->control.int_state &= ~INTERRUPT_SHADOW;
}

static void run_vmcb(struct vcpu_vmpl *context)
{
	struct vmcb_save *in_vmcb = &context->vmcb->save, *in_vmsa = &context->vmsa->save;

	in_vmcb->rax = in_vmsa->rax;
	in_vmcb->rip = in_vmsa->rip;
	in_vmcb->rsp = in_vmsa->rsp;
	in_vmcb->rflags = in_vmsa->rflags;
	svm_run(context->vmcb, context->vmsa, context->vcpu->id);
	apic_reassess();
	context->vmcb->control.event_inj = 0;
	in_vmsa->rax = in_vmcb->rax;
	in_vmsa->rip = in_vmcb->rip;
	in_vmsa->rsp = in_vmcb->rsp;
	in_vmsa->rflags = in_vmcb->rflags;
}

/*
 * Do what needs no hypervisor on an SNP machine: the GHCB MSR is hardware there, and the backdoor does not exist.
 * False: the exit is one that KVM would see.
 */
static bool handle_hardware_exit(struct vcpu_vmpl *context, u64 exit_code)
{
	struct vmcb_save *save = &context->vmsa->save;

	if (exit_code == VMEXIT_MSR) {
		if (context->vmcb->control.exit_info_1) {
			context->ghcb_msr = (u32)save->rax | context->vmsa->rdx << 32;
		} else {
			save->rax = (u32)context->ghcb_msr;
			context->vmsa->rdx = context->ghcb_msr >> 32;
		}
		skip_instruction(context, MSR_BYTES);
		return true;
	}
	if (exit_code == VMEXIT_VMMCALL && *(u8 *)save->rip != REP_PREFIX) {
		skip_instruction(context, VMMCALL_BYTES);
		handle_backdoor(context);
		return true;
	}
	return false;
}

/* VMGEXIT is `rep; vmmcall` where there is no encryption (AMD APM volume 3, VMGEXIT). */
static u64 architected_exit_code(const struct vcpu_vmpl *context)
{
	u64 exit_code = context->vmcb->control.exit_code;

	return exit_code == VMEXIT_VMMCALL ? VMEXIT_VMGEXIT : exit_code;
}

/*
 * A host interrupt that changed nothing for the guest is not KVM's either; it may be the trace's own timer. Inside
 * STI's shadow it is taken as a real exit all the same, because an open window must be closed there: see
 * exits_in_shadow().
 */
static bool is_own_interrupt(struct vcpu_vmpl *context, u64 exit_code)
{
	const struct vmcb_control *control = &context->vmcb->control;

	if (exit_code != VMEXIT_INTR || control->exit_int_info & EVENTINJ_VALID || control->int_state & INTERRUPT_SHADOW)
		return false;
	if (trace_flush_due(context->vcpu->id))
		trace_flush(context->vcpu->id);
	arm_host_timer(context->vcpu);
	return true;
}

static u64 run_until_exit(struct vcpu_vmpl *context)
{
	trace_kvm_entry(context);
	for (;;) {
		u64 exit_code;

		run_vmcb(context);
		exit_code = context->vmcb->control.exit_code;
		if (handle_hardware_exit(context, exit_code)) {
			/* A request that came during an exit nobody may see is what ended the guest. */
			if (READ_ONCE(context->vcpu->requests))
				return VMEXIT_INTR;
		} else if (READ_ONCE(context->vcpu->requests) || !is_own_interrupt(context, exit_code)) {
			return architected_exit_code(context);
		}
	}
}

static void handle_exit(struct vcpu_vmpl *context, u64 exit_code)
{
	close_irq_window(&context->vmcb->control);
	switch (exit_code) {
	case VMEXIT_INTR:
	case VMEXIT_NMI:
	case VMEXIT_VINTR:
		return;
	case VMEXIT_HLT:
		skip_instruction(context, HLT_BYTES);
		context->mp_state = MP_HALTED;
		return;
	case VMEXIT_VMGEXIT:
		skip_instruction(context, VMGEXIT_BYTES);
		handle_vmgexit(context);
		return;
	case VMEXIT_SHUTDOWN:
		/* KVM_EXIT_SHUTDOWN: QEMU resets the machine, or exits with -no-reboot. */
		trace_end(context->vcpu->id);
		fault_summarise();
		reset_machine();
	default:
		model_bug("exit 0x%lx of vcpu %u vmpl %u, rip 0x%lx info 0x%lx 0x%lx", exit_code, context->vcpu->id,
			  context->vmpl, context->vmsa->save.rip, context->vmcb->control.exit_info_1,
			  context->vmcb->control.exit_info_2);
	}
}

void monitor_run(unsigned cpu)
{
	struct vcpu *vcpu = &vcpus[cpu];

	for (;;) {
		struct vcpu_vmpl *context;
		u64 exit_code;

		take_host_events(vcpu);
		context = flavour_select(vcpu);
		if (!context) {
			sleep_until_request(vcpu);
			continue;
		}
		arm_host_timer(vcpu);
		if (!enter_guest_mode(vcpu))
			continue;
		unmap_ghcb(context);
		inject(context);
		exit_code = run_until_exit(context);
		leave_guest_mode(vcpu);
		trace_kvm_exit(context, exit_code);
		handle_exit(context, exit_code);
		if (context->vmpl != SVSM_VMPL && flavour_stays(context) && fault_fires(FAULT_SWITCH_SPURIOUS))
			flavour_run_vmpl(context, SVSM_VMPL);
	}
}
