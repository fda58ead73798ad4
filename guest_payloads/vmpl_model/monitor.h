/* SPDX-License-Identifier: MIT */
/*
 * The monitor: host mode, in the part of KVM. Names follow Roy Hopkins's RFC "Extend SEV-SNP SVSM support with a
 * kvm_vcpu per VMPL": one vCPU has a context for each VMPL with its own VMCB and APIC.
 */
#ifndef MONITOR_H
#define MONITOR_H

#include "console.h"
#include "ghcb.h"
#include "model_bug.h"
#include "options.h"
#include "spinlock.h"
#include "svm.h"
#include "x2apic.h"

#define VMPLS 4
#define SVSM_VMPL 0
/* Vectors below it are exceptions (AMD APM volume 2, 16.4). */
#define APIC_FIRST_VECTOR 16

struct lapic {
	u32 irr[8];		/* set by any CPU */
	u32 isr[8];
	u32 tpr, spiv, lvtt, lvt1, tmict, tdcr;
	u64 icr;
	u64 deadline_tsc;	/* 0: the timer is off */
	bool wakeup_lost;	/* FAULT_HLT_LOST_WAKEUP: sleeps until the next interrupt is accepted */
	u32 duplicate_vector;	/* FAULT_IRQ_DUPLICATED: comes again at its EOI; 0: none */
};

enum mp_state { MP_UNINITIALIZED, MP_RUNNABLE, MP_HALTED };

/* In the part of a struct kvm_vcpu; current_vmpl and target_vmpl are in struct vcpu, its parent. */
struct vcpu_vmpl {
	struct vmcb *vmcb;
	struct vmsa *vmsa;	/* NULL: none installed */
	struct vcpu *vcpu;
	unsigned vmpl;
	enum mp_state mp_state;
	bool plane_runnable;	/* planes-v1: plane_state RUNNABLE */
	bool nmi_pending;
	u64 ghcb_msr;
	u64 ghcb_registered;	/* ~0: none */
	struct ghcb *ghcb_mapped; /* set from VMGEXIT until the unmapping that traces kvm_vmgexit_exit */
	struct lapic *apic;	/* &own_apic; tom: VMPL0's for all */
	struct lapic own_apic;

	/* What AP_CREATION left for this context to do, under vcpu->lock. */
	bool ap_request_pending;
	bool ap_request_start;
	bool ap_request_triple_fault; /* FAULT_AP_START_TRIPLE_FAULT */
	struct vmsa *ap_request_vmsa; /* NULL: destroy */
};

enum vcpu_mode { OUTSIDE_GUEST_MODE, IN_GUEST_MODE, EXITING_GUEST_MODE };

struct vcpu {
	unsigned id;
	int current_vmpl, target_vmpl;
	bool switch_when_blocked; /* roy: target_vmpl was set by another vCPU's AP_CREATION */
	u32 mode;		/* enum vcpu_mode; IN_GUEST_MODE also while it sleeps */
	u32 requests;		/* somebody changed something this vCPU must look at */
	u32 host_keyboard;	/* what the interrupt handlers of this CPU saw */
	u32 host_nmi;
	u64 armed_tsc;		/* deadline the host's APIC timer is set for; 0: stopped */
	struct spinlock lock;
	struct vcpu_vmpl vmpl[VMPLS];
};

extern struct vcpu vcpus[MAX_CPUS];
extern unsigned default_irq_vmpl;

/* monitor_vcpu.c */
void vcpu_init(unsigned id);
/* Tell a vCPU to look at its state again; leaves guest mode or wakes it when needed. */
void vcpu_notify(struct vcpu *vcpu);
/* Do what AP_CREATION asked of this vCPU's contexts; `on_run`: also what waits for INIT or Run-VMPL. */
void vcpu_install_requested(struct vcpu *vcpu, struct vcpu_vmpl *context, bool on_run);
bool vcpu_has_event(struct vcpu_vmpl *context);
bool vcpu_has_restricted_injection(const struct vcpu_vmpl *context);
bool vcpu_irq_allowed(const struct vcpu_vmpl *context);

/* monitor_run.c */
__noreturn void monitor_run(unsigned cpu);
__noreturn void monitor_stop_machine(enum exit_value value);

/* monitor_flavour.c: what differs between the kinds of KVM. */
bool flavour_is_planes(void);
/* Choose the context to run, doing the switch; NULL: nothing runs, sleep. */
struct vcpu_vmpl *flavour_select(struct vcpu *vcpu);
/* Take a Run-VMPL request; false: refused. */
bool flavour_run_vmpl(struct vcpu_vmpl *caller, unsigned vmpl);
/* Whether the context would run again next. */
bool flavour_stays(const struct vcpu_vmpl *context);
void flavour_ap_started(struct vcpu_vmpl *context);

/* monitor_vmgexit.c, monitor_msr_protocol.c, monitor_ap.c, monitor_backdoor.c */
void handle_vmgexit(struct vcpu_vmpl *context);
void handle_msr_protocol(struct vcpu_vmpl *context);
void unmap_ghcb(struct vcpu_vmpl *context);
/* Return what goes into SW_EXITINFO2. */
u64 handle_psc(struct ghcb *ghcb);
/* Return 0 or a GHCB_ERR_ reason. */
unsigned handle_ap_creation(struct vcpu_vmpl *caller, const struct ghcb *ghcb, u64 info, u64 vmsa_pa);
__noreturn void handle_termination(struct vcpu_vmpl *context, u64 reason_set, u64 reason);
void handle_backdoor(struct vcpu_vmpl *context);

/* monitor_lapic.c */
void lapic_reset(struct lapic *apic);
/* Return the vector to inject next, or -1. */
int lapic_pending_vector(const struct lapic *apic);
void lapic_acknowledge(struct lapic *apic, int vector);
/* Accept an interrupt; `cpu` is the CPU that runs this. */
void lapic_accept(unsigned cpu, struct vcpu_vmpl *target, enum delivery_mode mode, unsigned vector);
/* Both return false where the MSR does not exist, which is #GP. */
bool lapic_read_msr(struct vcpu_vmpl *context, u32 msr, u64 *value);
bool lapic_write_msr(struct vcpu_vmpl *context, u32 msr, u64 value);
void lapic_expire_timers(struct vcpu *vcpu);
/* Return the next deadline of any VMPL of this vCPU, 0: none. */
u64 lapic_next_deadline(const struct vcpu *vcpu);
bool lapic_timer_is_due(const struct vcpu *vcpu);

/* monitor_irq.c */
void irq_raise_keyboard(struct vcpu *vcpu);
void irq_lower_keyboard(struct vcpu *vcpu);
void irq_raise_nmi(struct vcpu *vcpu);
/* False: a delivery mode that no VMPL may use. */
bool irq_send_ipi(struct vcpu_vmpl *sender, u64 icr);

/* monitor_ioapic.c */
struct ioapic_route {
	bool masked, level, logical;
	u32 destination;
	enum delivery_mode mode;
	unsigned vector;
	u64 bits;
};
struct ioapic_route ioapic_route(unsigned pin);
bool ioapic_mmio(u64 gpa, u64 bytes, bool write, u32 *value);

#endif
