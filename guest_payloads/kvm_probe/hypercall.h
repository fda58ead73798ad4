/* SPDX-License-Identifier: MIT */
/* Hypercalls of KVM (Linux Documentation/virt/kvm/x86/hypercalls.rst). */
#ifndef HYPERCALL_H
#define HYPERCALL_H

#include "types.h"

/* include/uapi/linux/kvm_para.h */
#define KVM_ENOSYS 1000

/* Choose VMCALL or VMMCALL by the CPU's vendor; bails out where the hypervisor is not KVM. */
void hypercall_init(void);
const char *hypercall_instruction(void);
/* Call KVM; its answer. */
long hypercall(u64 number, u64 a0, u64 a1, u64 a2, u64 a3);

#endif
