/* SPDX-License-Identifier: MIT */
#include "hypercall.h"

#include "console.h"
#include "processor.h"
#include "text.h"

/* Linux Documentation/virt/kvm/x86/cpuid.rst. */
#define CPUID_KVM_SIGNATURE 0x40000000

static bool vmmcall;

static bool vendor_is(const char *name, u32 a, u32 b, u32 c)
{
	u32 words[3] = {a, b, c};

	return !memcmp(words, name, sizeof(words));
}

void hypercall_init(void)
{
	u32 eax, ebx, ecx, edx;

	cpuid(CPUID_KVM_SIGNATURE, &eax, &ebx, &ecx, &edx);
	if (!vendor_is("KVMKVMKVM\0\0\0", ebx, ecx, edx))
		bail_out("this is no KVM guest: CPUID leaf 40000000h is not KVM's; run it with -accel kvm");
	cpuid(0, &eax, &ebx, &ecx, &edx);
	/* KVM patches the wrong one into the right one, which would cost an exit more. */
	vmmcall = vendor_is("AuthenticAMD", ebx, edx, ecx) || vendor_is("HygonGenuine", ebx, edx, ecx);
}

const char *hypercall_instruction(void)
{
	return vmmcall ? "vmmcall" : "vmcall";
}

long hypercall(u64 number, u64 a0, u64 a1, u64 a2, u64 a3)
{
	long answer;

	if (vmmcall)
		__asm__ volatile("vmmcall" : "=a"(answer) : "a"(number), "b"(a0), "c"(a1), "d"(a2), "S"(a3) : "memory");
	else
		__asm__ volatile("vmcall" : "=a"(answer) : "a"(number), "b"(a0), "c"(a1), "d"(a2), "S"(a3) : "memory");
	return answer;
}
