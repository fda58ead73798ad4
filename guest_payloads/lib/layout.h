/* SPDX-License-Identifier: MIT */
/* Numbers that assembly and C share. */
#ifndef LAYOUT_H
#define LAYOUT_H

#define SELECTOR_CODE32 0x08
#define SELECTOR_CODE64 0x10
#define SELECTOR_DATA 0x18
#define SELECTOR_TSS 0x20

#define AP_TRAMPOLINE_PA 0x8000
#define MAX_CPUS_ASM 8
#define STACK_BYTES_ASM 16384

#endif
