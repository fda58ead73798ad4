/* SPDX-License-Identifier: MIT */
/*
 * "SEV-ES Guest-Hypervisor Communication Block Standardization", AMD publication 56421, revision 2.03 ("GHCB spec").
 * Sections are cited by title: their numbers moved between the 2.0x revisions.
 */
#ifndef GHCB_H
#define GHCB_H

#include "types.h"

/* "GHCB Layout". */
struct ghcb {
	u8 reserved_000[0x1f8];
	u64 rax;		/* 1f8h */
	u8 reserved_200[0x108];
	u64 rcx;		/* 308h */
	u64 rdx;
	u64 rbx;
	u8 reserved_320[0x70];
	u64 sw_exit_code;	/* 390h */
	u64 sw_exit_info_1;
	u64 sw_exit_info_2;
	u64 sw_scratch;
	u8 reserved_3b0[0x40];
	u8 valid_bitmap[16];	/* 3f0h: bit n is the quadword at 8n */
	u8 reserved_400[0x400];
	u8 shared_buffer[2032]; /* 800h */
	u8 reserved_ff0[10];
	u16 protocol_version;	/* ffah */
	u32 ghcb_usage;		/* ffch */
} __packed;

_Static_assert(offsetof(struct ghcb, sw_exit_code) == 0x390, "GHCB spec, GHCB Layout");
_Static_assert(offsetof(struct ghcb, valid_bitmap) == 0x3f0, "GHCB spec, GHCB Layout");
_Static_assert(offsetof(struct ghcb, protocol_version) == 0xffa, "GHCB spec, GHCB Layout");
_Static_assert(sizeof(struct ghcb) == PAGE_SIZE, "GHCB spec, GHCB Layout");

static inline void ghcb_set_valid(struct ghcb *ghcb, size_t offset)
{
	ghcb->valid_bitmap[offset / 64] |= 1 << offset / 8 % 8;
}

static inline bool ghcb_is_valid(const struct ghcb *ghcb, size_t offset)
{
	return ghcb->valid_bitmap[offset / 64] & 1 << offset / 8 % 8;
}

#define GHCB_SET(ghcb, field, value)                                                                                   \
	do {                                                                                                           \
		(ghcb)->field = (value);                                                                               \
		ghcb_set_valid((ghcb), offsetof(struct ghcb, field));                                                  \
	} while (0)
#define GHCB_IS_VALID(ghcb, field) ghcb_is_valid((ghcb), offsetof(struct ghcb, field))

#define GHCB_VERSION 2

/* "GHCB MSR Protocol". GHCBInfo is bits 11:0. */
#define GHCB_MSR_INFO(value) ((value)&0xfff)
#define GHCB_MSR_SEV_INFO_RESP 0x001
#define GHCB_MSR_SEV_INFO_REQ 0x002
#define GHCB_MSR_REG_GPA_REQ 0x012
#define GHCB_MSR_REG_GPA_RESP 0x013
#define GHCB_MSR_VMPL_REQ 0x016
#define GHCB_MSR_VMPL_RESP 0x017
#define GHCB_MSR_VMPL_REQ_LEVEL(value) ((value) >> 32 & 0xff)
#define GHCB_MSR_VMPL_RESP_ERROR(value) ((value) >> 32)
#define GHCB_MSR_HV_FT_REQ 0x080
#define GHCB_MSR_HV_FT_RESP 0x081
#define GHCB_MSR_TERM_REQ 0x100
#define GHCB_MSR_TERM_REASON_SET(value) ((value) >> 12 & 0xf)
#define GHCB_MSR_TERM_REASON(value) ((value) >> 16 & 0xff)

/* "Hypervisor Feature Support". */
#define GHCB_HV_FT_SNP (1ull << 0)
#define GHCB_HV_FT_SNP_AP_CREATION (1ull << 1)
#define GHCB_HV_FT_SNP_MULTI_VMPL (1ull << 5)
#define GHCB_HV_FT_SUPPORTED (GHCB_HV_FT_SNP | GHCB_HV_FT_SNP_AP_CREATION | GHCB_HV_FT_SNP_MULTI_VMPL)

/* "List of Supported Non-Automatic Events". */
#define GHCB_EXIT_IOIO 0x7b
#define GHCB_EXIT_MSR 0x7c
#define GHCB_EXIT_MMIO_READ 0x80000001
#define GHCB_EXIT_MMIO_WRITE 0x80000002
#define GHCB_EXIT_PSC 0x80000010
#define GHCB_EXIT_AP_CREATION 0x80000013
#define GHCB_EXIT_SNP_RUN_VMPL 0x80000018
#define GHCB_EXIT_HV_FEATURES 0x8000fffd
#define GHCB_EXIT_TERM_REQUEST 0x8000fffe

/* "SNP AP Creation", SW_EXITINFO1. */
#define AP_CREATE_ON_INIT 0
#define AP_CREATE 1
#define AP_DESTROY 2
#define AP_CREATION_REQUEST(info) ((info)&0xffff)
#define AP_CREATION_VMPL(info) ((info) >> 16 & 0xf)
#define AP_CREATION_APIC_ID(info) ((info) >> 32)
#define AP_CREATION_INFO(request, vmpl, apic) ((request) | (u64)(vmpl) << 16 | (u64)(apic) << 32)

/* SW_EXITINFO1 of IOIO is EXITINFO1 of the intercept: AMD APM volume 2, 15.10.2. */
#define IOIO_IN (1u << 0)
#define IOIO_STRING_OR_REP (3u << 2)
#define IOIO_BYTE (1u << 4)
#define IOIO_PORT(info) ((info) >> 16 & 0xffff)

/* "SNP Page State Change". */
struct psc_header {
	u16 cur_entry;
	u16 end_entry;
	u32 reserved;
};
#define PSC_MAX_ENTRIES 253
#define PSC_OPERATION(entry) ((entry) >> 52 & 0xf)
#define PSC_GFN(entry) ((entry) >> 12 & 0xffffffffffull)
#define PSC_PRIVATE 1
#define PSC_SHARED 2
#define PSC_ERROR_INVALID_HEADER (1ull << 32 | 1)
#define PSC_ERROR_INVALID_ENTRY (1ull << 32 | 2)

/* "Invoking VMGEXIT": SW_EXITINFO1[31:0] afterwards, and the reasons that go with GHCB_ERROR in SW_EXITINFO2. */
#define GHCB_NO_ERROR 0
#define GHCB_EXCEPTION 1
#define GHCB_ERROR 2
#define GHCB_ERR_NOT_REGISTERED 1
#define GHCB_ERR_INVALID_USAGE 2
#define GHCB_ERR_INVALID_SCRATCH_AREA 3
#define GHCB_ERR_MISSING_INPUT 4
#define GHCB_ERR_INVALID_INPUT 5
#define GHCB_ERR_INVALID_EVENT 6

#endif
