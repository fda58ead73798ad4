/* SPDX-License-Identifier: MIT */
#include "svm.h"

#include "console.h"
#include "processor.h"
#include "text.h"

/* 15.10.1 and 15.11: permission maps of 12 KiB and 8 KiB. Ports are free: see README.md, "not faithful". */
static u8 iopm[3 * PAGE_SIZE] __page_aligned;
static u8 msrpm[2 * PAGE_SIZE] __page_aligned;
static u8 hsave[MAX_CPUS][PAGE_SIZE] __page_aligned;
/* VMLOAD and VMSAVE want a VMCB for FS, GS, TR and LDTR of the host, too. */
static u8 host_state[MAX_CPUS][PAGE_SIZE] __page_aligned;

void svm_enter(u64 vmcb_pa, struct vmsa *vmsa, u64 host_state_pa);

/* 15.11: MSRs C0010000h-C0011FFFh have two bits each from byte 1000h on, read and write. */
static void intercept_msr(u32 msr)
{
	u32 bit = (msr - 0xc0010000) * 2;

	msrpm[0x1000 + bit / 8] |= 3 << bit % 8;
}

void svm_enable(unsigned cpu)
{
	u32 eax, ebx, ecx, edx;

	cpuid(0x80000000, &eax, &ebx, &ecx, &edx);
	if (eax >= 0x80000001)
		cpuid(0x80000001, &eax, &ebx, &ecx, &edx);
	else
		ecx = 0;
	if (!(ecx & CPUID_8000_0001_ECX_SVM))
		bail_out("the CPU has no SVM: use -accel tcg -cpu max, or an AMD host with kvm_amd.nested=1 and -cpu host");
	if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS)
		bail_out("SVM is disabled (VM_CR.SVMDIS)");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
	wrmsr(MSR_VM_HSAVE_PA, (u64)hsave[cpu]);
	__asm__ volatile("vmsave %%rax" ::"a"(host_state[cpu]) : "memory");
	intercept_msr(MSR_SEV_ES_GHCB);
}

void svm_init_controls(struct vmcb *vmcb, u32 asid)
{
	struct vmcb_control *control = &vmcb->control;

	memset(vmcb, 0, PAGE_SIZE);
	control->intercept_misc1 = INTERCEPT_INTR | INTERCEPT_NMI | INTERCEPT_HLT | INTERCEPT_MSR_PROT |
				   INTERCEPT_SHUTDOWN;
	control->intercept_misc2 = INTERCEPT_VMRUN | INTERCEPT_VMMCALL;
	control->iopm_base_pa = (u64)iopm;
	control->msrpm_base_pa = (u64)msrpm;
	control->asid = asid;
	/* One address space for all: nothing is ever remapped, so no flush is asked for. */
	control->tlb_control = 0;
	control->int_ctl = V_INTR_MASKING;
}

void svm_run(struct vmcb *vmcb, struct vmsa *vmsa, unsigned cpu)
{
	svm_enter((u64)vmcb, vmsa, (u64)host_state[cpu]);
}
