/* SPDX-License-Identifier: MIT */
/* Faults on request: each is one `if (fault_fires(…))` at the place where the real fault would be. */
#ifndef FAULTS_H
#define FAULTS_H

#include "text.h"

/* An opportunity is one pass over the place named here; RATE and AFTER of the option count opportunities. */
enum fault {
	FAULT_IRQ_TO_VMPL0,		/* a device interrupt or MSI */
	FAULT_IRQ_LOST,			/* a device interrupt or IPI, before any APIC accepts it */
	FAULT_IRQ_DUPLICATED,		/* a device interrupt or IPI: accepted again at its EOI */
	FAULT_IRQ_WRONG_VCPU,		/* a device interrupt or IPI: goes to the vCPU after the right one */
	FAULT_IPI_WRONG_VMPL,		/* an IPI goes to VMPL0 when a guest sent it, to the guest when VMPL0 did */
	FAULT_DEFAULT_VMPL_NEVER_RAISED, /* the rule that raises default_irq_vmpl (planes-v1: device plane stays 0) */
	FAULT_SWITCH_DROPPED,		/* a Run-VMPL request: answered with success, no switch follows */
	FAULT_SWITCH_REFUSED_IGNORED,	/* a Run-VMPL request by the MSR protocol: answered 0x017 with an error */
	FAULT_SWITCH_SPURIOUS,		/* an exit of the guest's VMPL that asks for no switch: VMPL0 runs */
	FAULT_HLT_LOST_WAKEUP,		/* an event for a VMPL that sleeps in HLT: it sleeps on */
	FAULT_AP_START_HANG,		/* AP_CREATION with CREATE: answered with success, nothing starts */
	FAULT_AP_START_TRIPLE_FAULT,	/* AP_CREATION with CREATE: the VMPL starts without an IDT and faults */
	FAULT_SVSM_PANIC,		/* a request in the SVSM's loop */
	FAULT_GUEST_PANIC,		/* the start of a step of the plan */
	FAULT_START_SLOW,		/* the launch of the firmware: takes slow-ms longer */
	FAULT_TRACE_LOST,		/* a trace line */
	FAULT_SVSM_SPIN,		/* a request in the SVSM's loop: VMPL0 runs on and never answers */
	FAULT_GUEST_SPIN,		/* the start of a step of the plan: the guest runs on and does nothing */
	FAULT_COUNT,
};

/* Parse NAME[:RATE[:AFTER]]; RATE is a decimal fraction up to 1. */
bool fault_parse(struct span text);
/* Whether a fault was asked for that needs an APIC for each VMPL. */
bool fault_needs_own_apics(void);
/* Count one opportunity and say whether the fault happens now. Any mode, any CPU. */
bool fault_fires(enum fault fault);
/* Print one console line for each fault that was asked for. */
void fault_announce(void);
void fault_summarise(void);

#endif
