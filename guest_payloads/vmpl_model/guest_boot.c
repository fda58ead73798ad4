/* SPDX-License-Identifier: MIT */
/* Start of the guest: the boot CPU is launched by the SVSM, the others by the boot CPU. */
#include "backdoor.h"
#include "desc.h"
#include "guest.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "x2apic.h"

struct guest_cpu guest_cpus[MAX_CPUS];

/*
 * Two pages for each CPU, used in turn: AP_DESTROY only asks, so the old page may be in use until its CPU has heard.
 * Linux takes a new page at each start for the same reason (arch/x86/coco/sev/core.c, wakeup_cpu_via_vmgexit).
 */
static struct vmsa vmsas[MAX_CPUS][2] __page_aligned;
static u8 vmsa_in_use[MAX_CPUS];
static struct ghcb ghcbs[MAX_CPUS] __page_aligned;
static struct svsm_ca calling_areas[MAX_CPUS] __page_aligned;
static u8 stacks[MAX_CPUS][STACK_BYTES] __page_aligned;

static void guest_boot_entry(void *argument);
static void guest_ap_entry(void *argument);

static struct vmsa *current_vmsa(unsigned cpu)
{
	return &vmsas[cpu][vmsa_in_use[cpu]];
}

static struct vmsa *prepare_cpu(unsigned cpu, void (*entry)(void *))
{
	struct guest_cpu *self = &guest_cpus[cpu];
	struct vmsa *vmsa;

	self->base = (struct vmpl_cpu){&self->base, cpu, options.guest_vmpl, &ghcbs[cpu]};
	self->ca = &calling_areas[cpu];
	WRITE_ONCE(self->online, false);
	vmsa_in_use[cpu] ^= 1;
	vmsa = current_vmsa(cpu);
	vmsa_fill(vmsa, options.guest_vmpl, entry, self, stacks[cpu] + STACK_BYTES, guest_idt, self);
	return vmsa;
}

struct vmsa *guest_boot_vmsa(void)
{
	return prepare_cpu(0, guest_boot_entry);
}

struct svsm_ca *guest_boot_ca(void)
{
	return &calling_areas[0];
}

/* As Linux's wakeup_cpu_via_vmgexit: the SVSM hears of the VMSA first, then the hypervisor starts it. */
static bool start_ap(unsigned cpu)
{
	struct vmsa *vmsa = prepare_cpu(cpu, guest_ap_entry);
	struct svsm_registers create = {
		.rax = SVSM_CALL(SVSM_CORE_PROTOCOL, SVSM_CORE_CREATE_VCPU),
		.rcx = (u64)vmsa,
		.rdx = (u64)&calling_areas[cpu],
		.r8 = cpu,
	};

	if (!guest_svsm_call(&create) || ghcb_ap_creation(AP_CREATE, options.guest_vmpl, cpu, vmsa))
		return false;
	/* No time-out: an AP that does not come is a hang, and its judge is outside. */
	while (!READ_ONCE(guest_cpus[cpu].online))
		pause();
	port_printf(CONSOLE, "svsm-harness: guest CPU %u is online\n", cpu);
	return true;
}

unsigned guest_start_aps(void)
{
	unsigned failed = 0;

	for (unsigned cpu = 1; cpu < cpu_count; cpu++)
		failed += !start_ap(cpu);
	return failed;
}

bool guest_restart_ap(unsigned cpu)
{
	struct svsm_registers delete = {
		.rax = SVSM_CALL(SVSM_CORE_PROTOCOL, SVSM_CORE_DELETE_VCPU),
		.rcx = (u64)current_vmsa(cpu),
	};

	if (ghcb_ap_creation(AP_DESTROY, options.guest_vmpl, cpu, NULL) || !guest_svsm_call(&delete))
		return false;
	return start_ap(cpu);
}

static void guest_boot_entry(void *argument)
{
	struct guest_cpu *self = argument;

	ghcb_register(&self->base);
	x2apic_enable();
	self->online = true;
	port_printf(CONSOLE, "svsm-harness: guest started at VMPL%u\n", options.guest_vmpl);
	guest_run_plan();
}

static void guest_ap_entry(void *argument)
{
	struct guest_cpu *self = argument;

	ghcb_register(&self->base);
	x2apic_enable();
	WRITE_ONCE(self->online, true);
	guest_worker(self);
}
