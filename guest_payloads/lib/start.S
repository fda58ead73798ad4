/* SPDX-License-Identifier: MIT */
/*
 * Entry points. QEMU's -kernel finds the PVH note (Xen public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY) and enters
 * pvh_start in 32-bit protected mode without paging, EBX = struct hvm_start_info. PVH rather than multiboot: it
 * takes the ELF64 file as it is, and QEMU 7.2 and 10 both know it.
 */
#include "layout.h"

	.section .note.PVH, "a", @note
	.align 4
	.long 4				/* name size */
	.long 8				/* QEMU reads a 64-bit address from an ELF64 note */
	.long 18			/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad pvh_start

	.section .text.start, "ax"
	.code32
	.globl pvh_start
pvh_start:
	cli
	cld
	movl %ebx, pvh_start_info
	movl $boot_stack_top, %esp

	/* 4 GiB identity map of 2 MiB pages: PML4 -> PDPT -> four page directories. */
	movl $page_directories, %edi
	movl $0x83, %eax		/* present, writable, 2 MiB */
	xorl %ecx, %ecx
1:	movl %eax, (%edi, %ecx, 8)
	addl $0x200000, %eax
	incl %ecx
	cmpl $2048, %ecx
	jne 1b
	movl $page_directories + 0x003, pdpt
	movl $page_directories + 0x1003, pdpt + 8
	movl $page_directories + 0x2003, pdpt + 16
	movl $page_directories + 0x3003, pdpt + 24
	movl $pdpt + 3, pml4

	call enter_long_mode
	ljmp $SELECTOR_CODE64, $start64

enter_long_mode:
	lgdt boot_gdt_pointer
	movl $pml4, %eax
	movl %eax, %cr3
	movl %cr4, %eax
	orl $0x20, %eax			/* CR4.PAE */
	movl %eax, %cr4
	movl $0xc0000080, %ecx		/* MSR_EFER */
	rdmsr
	orl $0x100, %eax		/* EFER.LME */
	wrmsr
	movl %cr0, %eax
	andl $0x9fffffff, %eax		/* clear CD and NW, which VMRUN refuses alone (APM 2, 15.5.1) */
	orl $0x80010001, %eax		/* PG, WP, PE */
	movl %eax, %cr0
	ret

	.code64
start64:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl $boot_stack_top, %esp
	xorl %ebp, %ebp
	movl pvh_start_info, %edi
	call boot_main
1:	cli
	hlt
	jmp 1b

/*
 * What a start-up IPI runs (APM 2, 16.5 "APIC INIT and STARTUP"): copied to AP_TRAMPOLINE_PA by smp.c, so it
 * may use only addresses relative to itself until it is in protected mode.
 */
	.globl ap_trampoline, ap_trampoline_end
	.code16
ap_trampoline:
	cli
	cld
	movw %cs, %ax
	movw %ax, %ds
	lgdtl ap_gdt_pointer - ap_trampoline
	movl %cr0, %eax
	orl $1, %eax
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $ap_start32
	.align 4
ap_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.long boot_gdt
ap_trampoline_end:

	.code32
ap_start32:
	movw $SELECTOR_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	/* The local APIC's own id chooses the stack (APM 2, 16.3.3: APIC ID register, offset 20h). */
	movl 0xfee00020, %ebx
	shrl $24, %ebx
	cmpl $MAX_CPUS_ASM, %ebx
	jae 2f
	movl %ebx, %eax
	incl %eax
	imull $STACK_BYTES_ASM, %eax
	leal host_stacks(%eax), %esp
	call enter_long_mode
	ljmp $SELECTOR_CODE64, $ap_start64
2:	cli
	hlt
	jmp 2b

	.code64
ap_start64:
	movl $SELECTOR_DATA, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	movl %eax, %fs
	movl %eax, %gs
	movl %esp, %esp			/* the upper half is undefined after the switch */
	xorl %ebp, %ebp
	movl %ebx, %edi
	call ap_main
1:	cli
	hlt
	jmp 1b

	.section .data
	.align 16
boot_gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	/* SELECTOR_CODE32 */
	.quad 0x00af9b000000ffff	/* SELECTOR_CODE64 */
	.quad 0x00cf93000000ffff	/* SELECTOR_DATA */
boot_gdt_end:
boot_gdt_pointer:
	.word boot_gdt_end - boot_gdt - 1
	.quad boot_gdt
pvh_start_info:
	.long 0

	.section .bss
	.align 4096
	.globl pml4
pml4:	.skip 4096
pdpt:	.skip 4096
page_directories:
	.skip 4 * 4096
	.globl host_stacks
host_stacks:
	.skip MAX_CPUS_ASM * STACK_BYTES_ASM
	.set boot_stack_top, host_stacks + STACK_BYTES_ASM

	.section .note.GNU-stack, "", @progbits
