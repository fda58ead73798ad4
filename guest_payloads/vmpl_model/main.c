/* SPDX-License-Identifier: MIT */
/* From PVH entry to the monitor's loops. */
#include "apic.h"
#include "clock.h"
#include "console.h"
#include "faults.h"
#include "idt.h"
#include "ioapic.h"
#include "monitor.h"
#include "options.h"
#include "plan.h"
#include "print.h"
#include "processor.h"
#include "smp.h"
#include "svsm.h"
#include "trace.h"

/* Xen public/arch-x86/hvm/start_info.h. */
#define HVM_START_MAGIC 0x336ec578
struct hvm_start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 modules;
	u64 modules_pa;
	u64 command_line_pa;
};

void boot_main(const struct hvm_start_info *info);

const char payload_name[] = "vmpl_model";

static bool monitor_ready;

static void run_ap(unsigned cpu)
{
	while (!__atomic_load_n(&monitor_ready, __ATOMIC_ACQUIRE))
		pause();
	svm_enable(cpu);
	monitor_run(cpu);
}

/* The VMSA of vCPU 0 at VMPL0 is there before anything runs; all others come by AP creation. */
static void launch_svsm(void)
{
	struct vcpu_vmpl *context = &vcpus[0].vmpl[SVSM_VMPL];

	context->ap_request_vmsa = svsm_launch_vmsa();
	context->ap_request_start = true;
	context->ap_request_pending = true;
	if (options.flavour == FLAVOUR_PLANES_V1 && !fault_fires(FAULT_DEFAULT_VMPL_NEVER_RAISED))
		default_irq_vmpl = options.guest_vmpl;
}

void boot_main(const struct hvm_start_info *info)
{
	serial_init();
	if (info->magic != HVM_START_MAGIC)
		bail_out("not started by PVH: magic 0x%x", info->magic);
	idt_init();
	desc_load(0);
	smp_set_cpu(0);
	options_parse(info->command_line_pa ? (const char *)info->command_line_pa : "");
	pic_mask_all();
	apic_enable();
	clock_init();
	smp_start(run_ap);
	plan_parse();
	svm_enable(0);
	trace_init(cpu_count);
	fault_announce();
	for (unsigned cpu = 0; cpu < cpu_count; cpu++)
		vcpu_init(cpu);
	launch_svsm();
	ioapic_set_route(KEYBOARD_GSI, HOST_VECTOR_KEYBOARD, 0);
	__atomic_store_n(&monitor_ready, true, __ATOMIC_RELEASE);
	monitor_run(0);
}
