/* SPDX-License-Identifier: MIT */
/* The model's own protocol: time spent in VMPL0 and VMPL0's own timer, as stimuli. */
#include "clock.h"
#include "step_vectors.h"
#include "svsm.h"
#include "x2apic.h"

#define LONGEST_US 4000000	/* the APIC timer has 32 bits of nanoseconds */

u32 svsm_model_request(struct svsm_request *request)
{
	switch (request->call) {
	case SVSM_MODEL_SPIN:
		if (request->rcx > LONGEST_US)
			return SVSM_ERR_INVALID_PARAMETER;
		clock_spin_us(request->rcx);
		return SVSM_SUCCESS;
	case SVSM_MODEL_ARM_TIMER:
		if (!request->rcx || request->rcx > LONGEST_US)
			return SVSM_ERR_INVALID_PARAMETER;
		x2apic_write(X2APIC_LVTT, SVSM_VECTOR_TIMER);
		x2apic_write(X2APIC_TMICT, request->rcx * 1000);
		return SVSM_SUCCESS;
	case SVSM_MODEL_READ_IRQS:
		if (request->rcx > 255)
			return SVSM_ERR_INVALID_PARAMETER;
		request->rcx = svsm_irq_count(this_vmpl_cpu()->cpu, request->rcx);
		return SVSM_SUCCESS;
	default:
		return SVSM_ERR_UNSUPPORTED_CALL;
	}
}
