/* SPDX-License-Identifier: MIT */
/* Start of the SVSM; the console lines are COCONUT's, so the same milestones are found. */
#include "backdoor.h"
#include "clock.h"
#include "faults.h"
#include "guest.h"
#include "i8042.h"
#include "ioapic.h"
#include "options.h"
#include "processor.h"
#include "smp.h"
#include "step_vectors.h"
#include "svsm.h"

struct svsm_cpu svsm_cpus[MAX_CPUS];

static struct vmsa vmsas[MAX_CPUS] __page_aligned;
static struct ghcb ghcbs[MAX_CPUS] __page_aligned;
static u8 stacks[MAX_CPUS][STACK_BYTES] __page_aligned;

#define svsm_log(...) port_printf(CONSOLE, "[SVSM] " __VA_ARGS__)

static struct vmsa *prepare_cpu(unsigned cpu, void (*entry)(void *))
{
	struct svsm_cpu *self = &svsm_cpus[cpu];

	self->base = (struct vmpl_cpu){&self->base, cpu, 0, &ghcbs[cpu]};
	vmsa_fill(&vmsas[cpu], 0, entry, self, stacks[cpu] + STACK_BYTES, svsm_idt, self);
	return &vmsas[cpu];
}

struct vmsa *svsm_launch_vmsa(void)
{
	return prepare_cpu(0, svsm_boot_entry);
}

static void check_hypervisor_features(void)
{
	u64 features = ghcb_msr_call(GHCB_MSR_HV_FT_REQ) >> 12, required = GHCB_HV_FT_SUPPORTED;

	if (required & ~features)
		svsm_log("ERROR: Required hypervisor GHCB features not available: present=%lx, required=%lx, missing=%lx\n",
			 features, required, required & ~features);
}

static void start_aps(void)
{
	for (unsigned cpu = 1; cpu < cpu_count; cpu++) {
		struct vmsa *vmsa = prepare_cpu(cpu, svsm_ap_entry);

		svsm_log("Launching AP %u with APIC-ID %u\n", cpu, cpu);
		if (ghcb_ap_creation(AP_CREATE, 0, cpu, vmsa))
			vmpl_panic(__FILE__, __LINE__, "Failed to launch AP %u", cpu);
		while (!READ_ONCE(svsm_cpus[cpu].online))
			pause();
		svsm_log("CPU %u is online\n", cpu);
	}
}

/*
 * Device interrupts before the first guest VMSA are VMPL0's: default_irq_vmpl starts at 0. The pin is masked again
 * before the guest's VMSA raises it. There is nobody else to run yet, so VMPL0 spins instead of sleeping.
 */
static void take_early_keys(struct svsm_cpu *self)
{
	if (!options.svsm_keys)
		return;
	mark_printf("step=svsm-keys begin");
	i8042_enable_keyboard(SVSM_VECTOR_KEYBOARD);
	port_printf(CONSOLE, "svsm-harness: awaiting svsm-keys %lu\n", options.svsm_keys);
	while (READ_ONCE(self->irqs[SVSM_VECTOR_KEYBOARD]) < options.svsm_keys) {
		__asm__ volatile("sti; nop; cli" ::: "memory");
		pause();
	}
	ioapic_emulated_write(IOAPIC_REG_REDIR + 2 * KEYBOARD_GSI, IOAPIC_REDIR_MASKED);
	mark_printf("step=svsm-keys end");
}

static void launch_firmware(void)
{
	struct vmsa *vmsa = guest_boot_vmsa();

	svsm_register_guest(0, vmsa, guest_boot_ca());
	svsm_log("VMSA PA: 0x%lx\n", (u64)vmsa);
	if (ghcb_ap_creation(AP_CREATE_ON_INIT, options.guest_vmpl, 0, vmsa))
		vmpl_panic(__FILE__, __LINE__, "Failed to launch FW");
	svsm_log("Launching Firmware\n");
	if (fault_fires(FAULT_START_SLOW))
		clock_spin_us(options.slow_ms * 1000);
}

void svsm_boot_entry(void *argument)
{
	struct svsm_cpu *self = argument;

	svsm_log("COCONUT Secure Virtual Machine Service Module Version model\n");
	svsm_log("vmpl_model: this is a model without encryption and without an RMP, not COCONUT-SVSM\n");
	check_hypervisor_features();
	ghcb_register(&self->base);
	x2apic_enable();
	self->online = true;
	start_aps();
	take_early_keys(self);
	launch_firmware();
	svsm_request_loop(self);
}

void svsm_ap_entry(void *argument)
{
	struct svsm_cpu *self = argument;

	ghcb_register(&self->base);
	x2apic_enable();
	WRITE_ONCE(self->online, true);
	svsm_request_loop(self);
}
