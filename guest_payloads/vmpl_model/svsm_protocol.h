/* SPDX-License-Identifier: MIT */
/* "Secure VM Service Module for SEV-SNP Guests", AMD publication 58019, revision 1.00 ("SVSM spec"). */
#ifndef SVSM_PROTOCOL_H
#define SVSM_PROTOCOL_H

#include "types.h"

/* "Calling Convention": RAX = protocol << 32 | call, then the result. */
#define SVSM_CALL(protocol, call) ((u64)(protocol) << 32 | (call))

/* "Calling Area". */
struct svsm_ca {
	u8 call_pending;
	u8 mem_available;
	u8 reserved[PAGE_SIZE - 2];
};

/* "Result Codes". */
#define SVSM_SUCCESS 0
#define SVSM_ERR_UNSUPPORTED_PROTOCOL 0x80000001
#define SVSM_ERR_UNSUPPORTED_CALL 0x80000002
#define SVSM_ERR_INVALID_ADDRESS 0x80000003
#define SVSM_ERR_INVALID_PARAMETER 0x80000005
#define SVSM_ERR_INVALID_REQUEST 0x80000006
/* PVALIDATE: 0x80001000 plus what the instruction put into EAX; CF has its own. */
#define SVSM_ERR_PVALIDATE(eax) (0x80001000 + (eax))
#define PVALIDATE_FAIL_SIZEMISMATCH 6
#define PVALIDATE_NO_CHANGE 16

/* "Core Protocol". */
#define SVSM_CORE_PROTOCOL 0
#define SVSM_CORE_REMAP_CA 0
#define SVSM_CORE_PVALIDATE 1
#define SVSM_CORE_CREATE_VCPU 2
#define SVSM_CORE_DELETE_VCPU 3
#define SVSM_CORE_QUERY_PROTOCOL 6

struct svsm_pvalidate {
	u16 entries;
	u16 next;
	u32 reserved;
	u64 entry[];
};
#define SVSM_PVALIDATE_MAX_COUNT 510
#define SVSM_PVALIDATE_ENTRY(pfn, validate) ((pfn) << 12 | (u64)(validate) << 2)
#define SVSM_PVALIDATE_PAGE_SIZE(entry) ((entry)&3)
#define SVSM_PVALIDATE_VALIDATE(entry) ((entry) >> 2 & 1)
#define SVSM_PVALIDATE_IGNORE_CF(entry) ((entry) >> 3 & 1)
#define SVSM_PVALIDATE_PFN(entry) ((entry) >> 12)

/* "vTPM Protocol". */
#define SVSM_VTPM_PROTOCOL 2
#define SVSM_VTPM_QUERY 0
#define SVSM_VTPM_CMD 1
#define TPM_SEND_COMMAND 8
struct svsm_vtpm_request {
	u32 command;
	u8 locality;
	u32 bytes;
	u8 buffer[];
} __packed;
struct svsm_vtpm_response {
	u32 bytes;
	u8 buffer[];
} __packed;
#define SVSM_VTPM_MAX_BYTES (PAGE_SIZE - sizeof(struct svsm_vtpm_request))

/* Not in the SVSM spec: what the stimuli need. "MODL". */
#define SVSM_MODEL_PROTOCOL 0x4d4f444cu
#define SVSM_MODEL_SPIN 0	/* RCX = microseconds to stay in VMPL0 */
#define SVSM_MODEL_ARM_TIMER 1	/* RCX = microseconds until VMPL0's own timer fires on this CPU */
#define SVSM_MODEL_READ_IRQS 2	/* RCX = vector; returns RCX = how many VMPL0 took on this CPU */

#endif
