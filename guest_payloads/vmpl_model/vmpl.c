/* SPDX-License-Identifier: MIT */
#include "vmpl.h"

#include "ioapic.h"
#include "processor.h"
#include "text.h"
#include "vmsa.h"
#include "x2apic.h"

static inline void vmgexit(void)
{
	__asm__ volatile("rep; vmmcall" ::: "memory");
}

u64 ghcb_msr_call(u64 request)
{
	wrmsr(MSR_SEV_ES_GHCB, request);
	vmgexit();
	return rdmsr(MSR_SEV_ES_GHCB);
}

void ghcb_register(struct vmpl_cpu *cpu)
{
	u64 pa = (u64)cpu->ghcb;

	if (ghcb_msr_call(pa | GHCB_MSR_REG_GPA_REQ) != (pa | GHCB_MSR_REG_GPA_RESP))
		vmpl_panic(__FILE__, __LINE__, "GHCB GPA 0x%lx was not registered", pa);
}

struct ghcb *ghcb_begin(u64 exit_code, u64 info_1, u64 info_2)
{
	struct ghcb *ghcb = this_vmpl_cpu()->ghcb;

	memset(ghcb->valid_bitmap, 0, sizeof(ghcb->valid_bitmap));
	ghcb->protocol_version = GHCB_VERSION;
	ghcb->ghcb_usage = 0;
	GHCB_SET(ghcb, sw_exit_code, exit_code);
	GHCB_SET(ghcb, sw_exit_info_1, info_1);
	GHCB_SET(ghcb, sw_exit_info_2, info_2);
	return ghcb;
}

u64 ghcb_call(void)
{
	struct ghcb *ghcb = this_vmpl_cpu()->ghcb;

	wrmsr(MSR_SEV_ES_GHCB, (u64)ghcb);
	vmgexit();
	if ((u32)ghcb->sw_exit_info_1 == GHCB_NO_ERROR)
		return 0;
	return ghcb->sw_exit_info_1 << 32 | (u32)ghcb->sw_exit_info_2;
}

void ghcb_terminate(unsigned reason_set, unsigned reason)
{
	for (;;)
		ghcb_msr_call(GHCB_MSR_TERM_REQ | (u64)reason_set << 12 | (u64)reason << 16);
}

static void must_succeed(u64 error, const char *what, u64 where)
{
	if (error)
		vmpl_panic(__FILE__, __LINE__, "%s 0x%lx failed: VmgexitError(%lu, %lu)", what, where, error >> 32,
			   error & 0xffffffff);
}

void x2apic_write(u32 msr, u64 value)
{
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_MSR, 1, 0);

	GHCB_SET(ghcb, rcx, msr);
	GHCB_SET(ghcb, rax, (u32)value);
	GHCB_SET(ghcb, rdx, value >> 32);
	must_succeed(ghcb_call(), "write of MSR", msr);
}

void x2apic_enable(void)
{
	x2apic_write(X2APIC_SPIV, X2APIC_SPIV_ENABLE | 0xff);
	x2apic_write(X2APIC_TDCR, X2APIC_TDCR_DIV_1);
}

static void mmio_write32(u64 address, u32 value)
{
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_MMIO_WRITE, address, sizeof(value));

	memcpy(ghcb->shared_buffer, &value, sizeof(value));
	GHCB_SET(ghcb, sw_scratch, (u64)ghcb->shared_buffer);
	must_succeed(ghcb_call(), "MMIO write at", address);
}

void ioapic_emulated_write(unsigned reg, u32 value)
{
	mmio_write32(IOAPIC_BASE + IOAPIC_SELECT, reg);
	mmio_write32(IOAPIC_BASE + IOAPIC_WINDOW, value);
}

u8 ghcb_inb(u16 port)
{
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_IOIO, (u64)port << 16 | IOIO_BYTE | IOIO_IN, 0);

	must_succeed(ghcb_call(), "IN from port", port);
	return ghcb->rax;
}

void ghcb_outb(u16 port, u8 value)
{
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_IOIO, (u64)port << 16 | IOIO_BYTE, 0);

	GHCB_SET(ghcb, rax, value);
	must_succeed(ghcb_call(), "OUT to port", port);
}

u64 ghcb_ap_creation(unsigned request, unsigned vmpl, unsigned apic_id, const void *vmsa)
{
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_AP_CREATION, AP_CREATION_INFO(request, vmpl, apic_id), (u64)vmsa);

	GHCB_SET(ghcb, rax, SVM_SEV_FEAT_SNP_ACTIVE);
	return ghcb_call();
}
