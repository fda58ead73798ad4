/* SPDX-License-Identifier: MIT */
/* AMD SVM: the VMCB and what is needed to run one. AMD APM volume 2, chapter 15 and appendix B. */
#ifndef SVM_H
#define SVM_H

#include "vmsa.h"

/* Appendix B, table B-1: VMCB control area. */
struct vmcb_control {
	u32 intercept_cr;
	u32 intercept_dr;
	u32 intercept_exceptions;
	u32 intercept_misc1;
	u32 intercept_misc2;
	u8 reserved_014[0x2c];
	u64 iopm_base_pa;	/* 040h */
	u64 msrpm_base_pa;
	u64 tsc_offset;
	u32 asid;		/* 058h */
	u32 tlb_control;
	u64 int_ctl;		/* 060h: V_TPR, V_IRQ, … V_INTR_VECTOR in bits 39:32 */
	u64 int_state;		/* 068h: INTERRUPT_SHADOW, GUEST_INTERRUPT_MASK */
	u64 exit_code;		/* 070h */
	u64 exit_info_1;
	u64 exit_info_2;
	u64 exit_int_info;
	u64 nested_ctl;		/* 090h */
	u8 reserved_098[0x10];
	u64 event_inj;		/* 0a8h */
	u64 nested_cr3;
	u64 virt_ext;
	u64 clean;		/* 0c0h */
	u64 next_rip;
	u8 reserved_0d0[0x330];
} __packed;

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;	/* appendix B, table B-2, at 400h */
	u8 reserved_708[PAGE_SIZE - 0x708];
} __packed;

_Static_assert(offsetof(struct vmcb, control.int_ctl) == 0x060, "table B-1");
_Static_assert(offsetof(struct vmcb, control.exit_code) == 0x070, "table B-1");
_Static_assert(offsetof(struct vmcb, control.event_inj) == 0x0a8, "table B-1");
_Static_assert(offsetof(struct vmcb, save) == 0x400, "table B-2");
_Static_assert(offsetof(struct vmcb, save.rip) == 0x578, "table B-2");
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "15.5: a VMCB is a page");

/* intercept_misc1 (00Ch). */
#define INTERCEPT_INTR (1u << 0)
#define INTERCEPT_NMI (1u << 1)
#define INTERCEPT_VINTR (1u << 4)
#define INTERCEPT_HLT (1u << 24)
#define INTERCEPT_MSR_PROT (1u << 28)
#define INTERCEPT_SHUTDOWN (1u << 31)
/* intercept_misc2 (010h). */
#define INTERCEPT_VMRUN (1u << 0)
#define INTERCEPT_VMMCALL (1u << 1)

/* int_ctl (060h). */
#define V_IRQ (1ull << 8)
#define V_INTR_PRIO_HIGHEST (0xfull << 16)
#define V_IGN_TPR (1ull << 20)
#define V_INTR_MASKING (1ull << 24)
/* int_state (068h). */
#define INTERRUPT_SHADOW (1ull << 0)
#define GUEST_INTERRUPT_MASK (1ull << 1)

/* EVENTINJ (0A8h) and EXITINTINFO (088h): 15.20 and 15.7.2. */
#define EVENTINJ_VALID (1ull << 31)
#define EVENTINJ_TYPE_MASK (7ull << 8)
#define EVENTINJ_TYPE_INTR (0ull << 8)
#define EVENTINJ_TYPE_NMI (2ull << 8)

#define TLB_CONTROL_FLUSH_ALL 1

/* Appendix C: intercept exit codes. */
#define VMEXIT_INTR 0x060
#define VMEXIT_NMI 0x061
#define VMEXIT_VINTR 0x064
#define VMEXIT_HLT 0x078
#define VMEXIT_MSR 0x07c
#define VMEXIT_SHUTDOWN 0x07f
#define VMEXIT_VMMCALL 0x081
#define VMEXIT_VMGEXIT 0x403

/* Lengths of the instructions that exit: TCG saves no nRIP. */
#define HLT_BYTES 1
#define MSR_BYTES 2
#define VMMCALL_BYTES 3
#define VMGEXIT_BYTES 4
#define REP_PREFIX 0xf3
#define HLT_OPCODE 0xf4

/* Enable SVM on the calling CPU; bails out where there is none. */
void svm_enable(unsigned cpu);
/* Set up the controls that all VMPLs share; the save area comes from a VMSA. */
void svm_init_controls(struct vmcb *vmcb, u32 asid);
/*
 * Run the VMCB until #VMEXIT. General registers live in the VMSA; host interrupts that are pending are taken
 * before it returns. Called and returns with interrupts off.
 */
void svm_run(struct vmcb *vmcb, struct vmsa *vmsa, unsigned cpu);

#endif
