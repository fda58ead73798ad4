/* SPDX-License-Identifier: MIT */
/* From PVH entry to the plan: an ordinary guest in kernel mode, which knows that it runs under KVM. */
#include "apic.h"
#include "clock.h"
#include "desc.h"
#include "hypercall.h"
#include "ioapic.h"
#include "mark.h"
#include "options.h"
#include "plan.h"
#include "print.h"
#include "processor.h"
#include "smp.h"

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

const char payload_name[] = "kvm_probe";

/* isr.S */
extern char probe_isr_stubs[];

void boot_main(const struct hvm_start_info *info);

void port_printf(enum serial_port port, const char *format, ...)
{
	char line[320];
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = vformat_text(line, sizeof(line), format, args);
	va_end(args);
	serial_write(port, line, bytes);
}

void boot_main(const struct hvm_start_info *info)
{
	serial_init();
	if (info->magic != HVM_START_MAGIC)
		bail_out("not started by PVH: magic 0x%x", info->magic);
	desc_init(probe_isr_stubs);
	desc_load(0);
	smp_set_cpu(0);
	options_parse(info->command_line_pa ? (const char *)info->command_line_pa : "");
	hypercall_init();
	pic_mask_all();
	apic_enable();
	clock_init();
	mark("boot", "begin");
	smp_start(plan_worker);
	mark("boot", "end");
	plan_parse();
	sti();
	plan_run();
}
