/* SPDX-License-Identifier: MIT */
#include "backdoor.h"

#include "faults.h"
#include "monitor.h"
#include "trace.h"

void handle_backdoor(struct vcpu_vmpl *context)
{
	const struct vmsa *vmsa = context->vmsa;

	switch ((enum backdoor)vmsa->save.rax) {
	case BACKDOOR_PRINT:
		serial_write(vmsa->rbx == REPORT ? REPORT : CONSOLE, (const char *)vmsa->rcx, vmsa->rdx);
		return;
	case BACKDOOR_MARK:
		trace_event(context->vcpu->id, "vmpl_model_mark", "%s", (const char *)vmsa->rcx);
		return;
	case BACKDOOR_SUMMARISE:
		fault_summarise();
		return;
	case BACKDOOR_LEAVE:
		monitor_stop_machine(vmsa->rbx);
	}
	model_bug("backdoor function %lu of vcpu %u vmpl %u", vmsa->save.rax, context->vcpu->id, context->vmpl);
}
