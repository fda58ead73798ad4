/* SPDX-License-Identifier: MIT */
/* The save state area: in a VMCB at 400h, and alone in a page as the VMSA of an encrypted guest. */
#ifndef VMSA_H
#define VMSA_H

#include "types.h"

struct vmcb_segment {
	u16 selector;
	u16 attrib;
	u32 limit;
	u64 base;
} __packed;

/* AMD APM volume 2, appendix B, tables B-2 and B-4, as far as both agree: up to the general registers. */
struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	u8 reserved_0a0[0x2a];
	u8 vmpl;		/* 0cah, VMSA only */
	u8 cpl;
	u32 reserved_0cc;
	u64 efer;		/* 0d0h */
	u8 reserved_0d8[0x70];
	u64 cr4;		/* 148h */
	u64 cr3;
	u64 cr0;
	u64 dr7;
	u64 dr6;
	u64 rflags;		/* 170h */
	u64 rip;
	u8 reserved_180[0x58];
	u64 rsp;		/* 1d8h */
	u8 reserved_1e0[0x18];
	u64 rax;		/* 1f8h */
	u8 reserved_200[0x40];
	u64 cr2;		/* 240h */
	u8 reserved_248[0x20];
	u64 g_pat;		/* 268h */
	u8 reserved_270[0x98];
} __packed;

/* Table B-4 from 300h. svm_run() keeps the general registers here while a VMPL runs. */
struct vmsa {
	struct vmcb_save save;
	u64 rcx;		/* 308h */
	u64 rdx;
	u64 rbx;
	u64 reserved_320;
	u64 rbp;		/* 328h */
	u64 rsi;
	u64 rdi;
	u64 r8, r9, r10, r11, r12, r13, r14, r15;
	u8 reserved_380[0x30];
	u64 sev_features;	/* 3b0h */
	u8 reserved_3b8[PAGE_SIZE - 0x3b8];
} __packed;

_Static_assert(offsetof(struct vmcb_save, vmpl) == 0x0ca, "table B-4");
_Static_assert(offsetof(struct vmcb_save, efer) == 0x0d0, "table B-2");
_Static_assert(offsetof(struct vmcb_save, cr4) == 0x148, "table B-2");
_Static_assert(offsetof(struct vmcb_save, rip) == 0x178, "table B-2");
_Static_assert(offsetof(struct vmcb_save, rax) == 0x1f8, "table B-2");
_Static_assert(offsetof(struct vmcb_save, g_pat) == 0x268, "table B-2");
_Static_assert(offsetof(struct vmsa, rcx) == 0x308, "table B-4");
_Static_assert(offsetof(struct vmsa, sev_features) == 0x3b0, "table B-4");
_Static_assert(sizeof(struct vmsa) == PAGE_SIZE, "a VMSA is a page");

/* SEV_FEATURES: AMD APM volume 2, 15.34.10. */
#define SVM_SEV_FEAT_SNP_ACTIVE (1ull << 0)

/*
 * Fill a VMSA for 64-bit code in the common address space: `entry(argument)` on `stack_top` with interrupts
 * off, its own IDT and GS base.
 */
void vmsa_fill(struct vmsa *vmsa, unsigned vmpl, void (*entry)(void *), void *argument, void *stack_top,
	       const void *idt, void *gs_base);

#endif
