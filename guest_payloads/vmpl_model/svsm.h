/* SPDX-License-Identifier: MIT */
/* The SVSM: VMPL0, in the part of COCONUT-SVSM. */
#ifndef SVSM_H
#define SVSM_H

#include "svsm_protocol.h"
#include "vmpl.h"
#include "vmsa.h"

struct svsm_cpu {
	struct vmpl_cpu base;
	bool online;
	struct vmsa *guest_vmsa; /* NULL: no guest vCPU here; set by CREATE_VCPU, also of another CPU */
	struct svsm_ca *guest_ca;
	u64 irqs[256];
	u64 irqs_taken; /* of any vector */
};

/* The registers of one request, in and out: SVSM spec, "Calling Convention". */
struct svsm_request {
	u32 protocol, call;
	u64 rcx, rdx, r8, r9;
};

extern struct svsm_cpu svsm_cpus[MAX_CPUS];

/* Entry points of VMPL0: the argument is the CPU's struct svsm_cpu. */
void svsm_boot_entry(void *argument);
void svsm_ap_entry(void *argument);
/* Fill the VMSA that the monitor launches first, as SNP_LAUNCH_UPDATE would. */
struct vmsa *svsm_launch_vmsa(void);
__noreturn void svsm_request_loop(struct svsm_cpu *cpu);

/* Each returns the result code for RAX. */
u32 svsm_core_request(struct svsm_request *request);
u32 svsm_vtpm_request(struct svsm_request *request);
u32 svsm_model_request(struct svsm_request *request);

void svsm_register_guest(unsigned cpu, struct vmsa *vmsa, struct svsm_ca *ca);
/* How many interrupts of a vector VMPL0 took on a CPU. */
u64 svsm_irq_count(unsigned cpu, unsigned vector);

#endif
