/* SPDX-License-Identifier: MIT */
#include "smp.h"

#include "apic.h"
#include "clock.h"
#include "console.h"
#include "desc.h"
#include "processor.h"
#include "text.h"

/* QEMU docs/specs/fw_cfg: selector and data port; FW_CFG_NB_CPUS counts the CPUs present at boot. */
#define FW_CFG_SELECTOR 0x510
#define FW_CFG_DATA 0x511
#define FW_CFG_NB_CPUS 0x05

#define LONGEST_START_US 10000000

unsigned cpu_count;

extern char ap_trampoline[], ap_trampoline_end[];
void ap_main(unsigned cpu);

static u64 cpu_numbers[MAX_CPUS];
/* Starts so far: a CPU that comes again counts again. */
static unsigned cpus_online;
static void (*ap_run)(unsigned cpu);

void smp_set_cpu(unsigned cpu)
{
	cpu_numbers[cpu] = cpu;
	wrmsr(MSR_GS_BASE, (u64)&cpu_numbers[cpu]);
}

unsigned smp_cpu(void)
{
	u64 cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

void ap_main(unsigned cpu)
{
	desc_load(cpu);
	smp_set_cpu(cpu);
	apic_enable();
	__atomic_fetch_add(&cpus_online, 1, __ATOMIC_RELEASE);
	ap_run(cpu);
}

static bool await_online(unsigned wanted)
{
	u64 deadline = rdtsc() + clock_us_to_tsc(LONGEST_START_US);

	while (__atomic_load_n(&cpus_online, __ATOMIC_ACQUIRE) != wanted) {
		if (rdtsc() > deadline)
			return false;
		pause();
	}
	return true;
}

bool smp_restart(unsigned cpu)
{
	unsigned wanted = __atomic_load_n(&cpus_online, __ATOMIC_ACQUIRE) + 1;

	apic_restart(cpu, AP_TRAMPOLINE_PA / PAGE_SIZE);
	return await_online(wanted);
}

void smp_start(void (*run)(unsigned cpu))
{

	outw(FW_CFG_SELECTOR, FW_CFG_NB_CPUS);
	cpu_count = inb(FW_CFG_DATA);
	cpu_count |= inb(FW_CFG_DATA) << 8;
	if (cpu_count < 1 || cpu_count > MAX_CPUS)
		bail_out("-smp %u: 1 to %u CPUs are supported", cpu_count, MAX_CPUS);
	if (apic_id() != 0)
		bail_out("the boot CPU has APIC id %u; APIC ids must be 0 to n-1", apic_id());
	ap_run = run;
	__atomic_store_n(&cpus_online, 1, __ATOMIC_RELEASE);
	if (cpu_count == 1)
		return;
	memcpy((void *)AP_TRAMPOLINE_PA, ap_trampoline, ap_trampoline_end - ap_trampoline);
	apic_send_init_sipi(AP_TRAMPOLINE_PA / PAGE_SIZE);
	if (!await_online(cpu_count))
		bail_out("%u of %u CPUs came up in 10 s; APIC ids must be 0 to n-1: use -smp n,sockets=n", cpus_online,
			 cpu_count);
}
