/* SPDX-License-Identifier: MIT */
/* The request loop of one CPU, after COCONUT's kernel/src/requests.rs and sev/ghcb.rs. */
#include "backdoor.h"
#include "desc.h"
#include "faults.h"
#include "i8042.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "step_vectors.h"
#include "svsm.h"
#include "x2apic.h"

void svsm_isr(const struct isr_frame *frame);

void svsm_isr(const struct isr_frame *frame)
{
	struct svsm_cpu *self = (struct svsm_cpu *)this_vmpl_cpu();
	u64 ghcb_msr;

	self->irqs[frame->vector]++;
	self->irqs_taken++;
	if (frame->vector == NMI_VECTOR)
		return;
	if (frame->vector < FIRST_IRQ_VECTOR)
		vmpl_panic(__FILE__, __LINE__, "Unhandled exception %lu RIP 0x%lx error code 0x%lx", frame->vector,
			   frame->rip, frame->error_code);
	/* The interrupted code may be between a response in the GHCB MSR and reading it. */
	ghcb_msr = rdmsr(MSR_SEV_ES_GHCB);
	if (frame->vector == SVSM_VECTOR_KEYBOARD)
		i8042_take_byte();
	x2apic_write(X2APIC_EOI, 0);
	wrmsr(MSR_SEV_ES_GHCB, ghcb_msr);
}

u64 svsm_irq_count(unsigned cpu, unsigned vector)
{
	return READ_ONCE(svsm_cpus[cpu].irqs[vector]);
}

/*
 * switch_to_vmpl_unsafe: only the low 12 bits of the response are looked at, as COCONUT does; an error in the
 * upper half goes unseen and the loop asks again. STI's shadow ends after the VMGEXIT, so an interrupt comes
 * either before the request is written or after it was answered.
 */
static void switch_to_vmpl(unsigned vmpl)
{
	u64 response;

	wrmsr(MSR_SEV_ES_GHCB, GHCB_MSR_VMPL_REQ | (u64)vmpl << 32);
	__asm__ volatile("sti\n\trep; vmmcall\n\tcli" ::: "memory");
	response = rdmsr(MSR_SEV_ES_GHCB);
	if (GHCB_MSR_INFO(response) != GHCB_MSR_VMPL_RESP)
		vmpl_panic(__FILE__, __LINE__, "Failed to switch to VMPL %u", vmpl);
}

static u32 dispatch(struct svsm_request *request)
{
	switch (request->protocol) {
	case SVSM_CORE_PROTOCOL:
		return svsm_core_request(request);
	case SVSM_VTPM_PROTOCOL:
		return svsm_vtpm_request(request);
	case SVSM_MODEL_PROTOCOL:
		return svsm_model_request(request);
	default:
		return SVSM_ERR_UNSUPPORTED_PROTOCOL;
	}
}

static void serve(struct svsm_cpu *self)
{
	struct vmsa *vmsa = self->guest_vmsa;
	struct svsm_request request = {
		.protocol = vmsa->save.rax >> 32,
		.call = vmsa->save.rax,
		.rcx = vmsa->rcx,
		.rdx = vmsa->rdx,
		.r8 = vmsa->r8,
		.r9 = vmsa->r9,
	};
	u32 result;

	if (fault_fires(FAULT_SVSM_PANIC))
		vmpl_panic(__FILE__, __LINE__, "vmpl_model fault svsm-panic");
	if (fault_fires(FAULT_SVSM_SPIN))
		for (;;)
			;
	result = dispatch(&request);
	/* DELETE_VCPU may not name the caller, so the VMSA is still there. */
	vmsa->save.rax = result;
	vmsa->rcx = request.rcx;
	vmsa->rdx = request.rdx;
	vmsa->r8 = request.r8;
	vmsa->r9 = request.r9;
}

/*
 * Sleep until the guest of this CPU has called, or the hypervisor runs VMPL0 for no reason that shows. After an own
 * interrupt there is nothing to ask for: the guest's AP_CREATION starts a sleeping CPU's guest, and a Run-VMPL that
 * came before it, between CREATE_VCPU and AP_CREATION, would be refused.
 */
static void wait_for_guest(struct svsm_cpu *self)
{
	struct svsm_ca *ca;
	u64 taken;

	do {
		taken = READ_ONCE(self->irqs_taken);
		sti_hlt();
		cli();
		ca = READ_ONCE(self->guest_ca);
	} while (!ca || (!READ_ONCE(ca->call_pending) && READ_ONCE(self->irqs_taken) != taken));
}

void svsm_request_loop(struct svsm_cpu *self)
{
	port_printf(CONSOLE, "[SVSM] Launching request-processing task on CPU %u\n", self->base.cpu);
	/* The boot CPU has installed its guest itself; an AP's may be registered already, and not be created yet. */
	if (self->base.cpu)
		wait_for_guest(self);
	for (;;) {
		struct svsm_ca *ca = READ_ONCE(self->guest_ca);

		if (!ca)
			wait_for_guest(self);
		else if (!READ_ONCE(ca->call_pending))
			switch_to_vmpl(options.guest_vmpl);
		else {
			serve(self);
			WRITE_ONCE(ca->call_pending, 0);
		}
	}
}
