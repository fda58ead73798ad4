/* SPDX-License-Identifier: MIT */
/* SVSM calls, made as Linux makes them: interrupts off, GHCB event SNP_RUN_VMPL to VMPL0. */
#include "guest.h"
#include "page_state.h"
#include "processor.h"
#include "text.h"

static u8 vtpm_pages[MAX_CPUS][PAGE_SIZE] __page_aligned;
static u8 scratch_pages[MAX_CPUS][PAGE_SIZE] __page_aligned;
static u8 pvalidate_lists[MAX_CPUS][PAGE_SIZE] __page_aligned;

#define VTPM_COMMAND_BYTES 12	/* as long as TPM2_GetRandom */

bool guest_svsm_call(struct svsm_registers *registers)
{
	struct guest_cpu *self = this_guest_cpu();
	u64 flags = irq_save();
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_SNP_RUN_VMPL, 0, 0);
	register u64 r8 __asm__("r8") = registers->r8;
	register u64 r9 __asm__("r9") = registers->r9;
	u8 pending = 1;
	bool answered, succeeded;

	self->calls_made++;
	wrmsr(MSR_SEV_ES_GHCB, (u64)ghcb);
	__asm__ volatile("movb $1, %[pending]\n\t"
			 "rep; vmmcall\n\t"
			 : "+a"(registers->rax), "+c"(registers->rcx), "+d"(registers->rdx), "+r"(r8), "+r"(r9)
			 : [pending] "m"(self->ca->call_pending)
			 : "memory");
	pending = __atomic_exchange_n(&self->ca->call_pending, 0, __ATOMIC_SEQ_CST);
	registers->r8 = r8;
	registers->r9 = r9;
	answered = !pending && (u32)ghcb->sw_exit_info_1 == GHCB_NO_ERROR;
	succeeded = answered && registers->rax == SVSM_SUCCESS;
	self->calls_answered += answered;
	self->calls_succeeded += succeeded;
	irq_restore(flags);
	return succeeded;
}

bool guest_query_protocol(u32 protocol, u32 version)
{
	struct svsm_registers query = {
		.rax = SVSM_CALL(SVSM_CORE_PROTOCOL, SVSM_CORE_QUERY_PROTOCOL),
		.rcx = (u64)protocol << 32 | version,
	};

	return guest_svsm_call(&query) && query.rcx;
}

bool guest_vtpm_command(u64 number)
{
	u8 *page = vtpm_pages[this_vmpl_cpu()->cpu];
	struct svsm_vtpm_request *request = (void *)page;
	struct svsm_vtpm_response *response = (void *)page;
	struct svsm_registers command = {
		.rax = SVSM_CALL(SVSM_VTPM_PROTOCOL, SVSM_VTPM_CMD),
		.rcx = (u64)page,
	};
	u8 text[VTPM_COMMAND_BYTES] = {0x80, 0x01, 0, 0, 0, VTPM_COMMAND_BYTES, 0, 0, 0x01, 0x7b};

	text[10] = number >> 8;
	text[11] = number;
	request->command = TPM_SEND_COMMAND;
	request->locality = 0;
	request->bytes = sizeof(text);
	memcpy(request->buffer, text, sizeof(text));
	return guest_svsm_call(&command) && response->bytes == sizeof(text) &&
	       !memcmp(response->buffer, text, sizeof(text));
}

static bool change_page_state(u64 pfn, u64 operation)
{
	u64 flags = irq_save();
	struct ghcb *ghcb = ghcb_begin(GHCB_EXIT_PSC, 0, 0);
	struct psc_header *header = (void *)ghcb->shared_buffer;
	u64 *entry = (void *)(header + 1);
	bool done;

	*header = (struct psc_header){0};
	*entry = pfn << 12 | operation << 52;
	GHCB_SET(ghcb, sw_scratch, (u64)ghcb->shared_buffer);
	done = !ghcb_call() && !ghcb->sw_exit_info_2 && header->cur_entry == 1;
	irq_restore(flags);
	return done;
}

static bool pvalidate_page(u64 pfn, bool validate)
{
	struct svsm_pvalidate *list = (void *)pvalidate_lists[this_vmpl_cpu()->cpu];
	struct svsm_registers call = {
		.rax = SVSM_CALL(SVSM_CORE_PROTOCOL, SVSM_CORE_PVALIDATE),
		.rcx = (u64)list,
	};

	*list = (struct svsm_pvalidate){.entries = 1};
	list->entry[0] = SVSM_PVALIDATE_ENTRY(pfn, validate);
	return guest_svsm_call(&call) && list->next == 1;
}

bool guest_flip_page(void)
{
	u64 pfn = (u64)scratch_pages[this_vmpl_cpu()->cpu] / PAGE_SIZE;
	bool done = pvalidate_page(pfn, false);

	done &= change_page_state(pfn, PSC_SHARED);
	done &= change_page_state(pfn, PSC_PRIVATE);
	done &= pvalidate_page(pfn, true);
	return done;
}
