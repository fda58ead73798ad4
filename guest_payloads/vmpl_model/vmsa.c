/* SPDX-License-Identifier: MIT */
#include "vmsa.h"

#include "desc.h"
#include "processor.h"
#include "text.h"

/* Attribute fields: APM volume 2, 15.5.1 (bits 55:52 and 47:40 of the descriptor in 12 bits). */
#define ATTRIB_CODE64 0xa9b
#define ATTRIB_DATA 0xc93
#define ATTRIB_TSS64_BUSY 0x08b
#define ATTRIB_LDT 0x082

#define DR6_RESET 0xffff0ff0ull
#define DR7_RESET 0x400ull
#define PAT_RESET 0x0007040600070406ull

void vmsa_fill(struct vmsa *vmsa, unsigned vmpl, void (*entry)(void *), void *argument, void *stack_top,
	       const void *idt, void *gs_base)
{
	struct vmcb_segment data = {SELECTOR_DATA, ATTRIB_DATA, ~0u, 0};
	struct descriptor_pointer gdt = desc_gdt();
	struct vmcb_save *save = &vmsa->save;

	memset(vmsa, 0, sizeof(*vmsa));
	save->cs = (struct vmcb_segment){SELECTOR_CODE64, ATTRIB_CODE64, ~0u, 0};
	save->ds = save->es = save->ss = save->fs = save->gs = data;
	save->gs.base = (u64)gs_base;
	save->gdtr = (struct vmcb_segment){0, 0, gdt.limit, gdt.base};
	save->idtr = (struct vmcb_segment){0, 0, 256 * sizeof(struct idt_entry) - 1, (u64)idt};
	save->tr = (struct vmcb_segment){SELECTOR_TSS, ATTRIB_TSS64_BUSY, 0x67, 0};
	save->ldtr = (struct vmcb_segment){0, ATTRIB_LDT, 0xffff, 0};
	save->vmpl = vmpl;
	save->efer = EFER_SVME | EFER_LME | EFER_LMA;	/* 15.5.1: VMRUN refuses a save area without SVME */
	save->cr0 = read_cr0();
	save->cr3 = read_cr3();
	save->cr4 = read_cr4();
	save->dr6 = DR6_RESET;
	save->dr7 = DR7_RESET;
	save->g_pat = PAT_RESET;
	save->rflags = X86_EFLAGS_FIXED;
	save->rip = (u64)entry;
	/* The entry is a C function: the ABI wants the stack as after a call. */
	save->rsp = (u64)stack_top - 8;
	vmsa->rdi = (u64)argument;
	vmsa->sev_features = SVM_SEV_FEAT_SNP_ACTIVE;
}
