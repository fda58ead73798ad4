/* SPDX-License-Identifier: MIT */
/*
 * For assembly: `isr_table role` makes the interrupt stubs of one IDT, role_isr_stubs, for desc_fill_idt(). Stub n
 * pushes its vector and enters role_isr(struct isr_frame *).
 * Vectors 8, 10-14, 17, 21, 29 and 30 come with an error code (AMD APM volume 2, table 8-1); the others get 0.
 */
	.macro isr_table role
	.text
	.align 16
	.globl \role\()_isr_stubs
\role\()_isr_stubs:
	.set vector, 0
	.rept 256
	.align 16
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	pushq $0
	.endif
	pushq $vector
	jmp \role\()_isr_common
	.set vector, vector + 1
	.endr
\role\()_isr_common:
	push %rax
	push %rbx
	push %rcx
	push %rdx
	push %rsi
	push %rdi
	push %rbp
	push %r8
	push %r9
	push %r10
	push %r11
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	mov %rsp, %rbp
	and $-16, %rsp
	cld
	call \role\()_isr
	mov %rbp, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %r11
	pop %r10
	pop %r9
	pop %r8
	pop %rbp
	pop %rdi
	pop %rsi
	pop %rdx
	pop %rcx
	pop %rbx
	pop %rax
	add $16, %rsp
	iretq
	.endm
