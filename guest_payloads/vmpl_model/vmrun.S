/* SPDX-License-Identifier: MIT */
/*
 * void svm_enter(u64 vmcb_pa, struct vmsa *vmsa, u64 host_state_pa): AMD APM volume 2, 15.5 and 15.6.
 * VMRUN and #VMEXIT exchange RAX, RSP, RIP, RFLAGS and the control registers; VMLOAD/VMSAVE do FS, GS, TR,
 * LDTR; the other general registers are ours.
 */
	.text
	.globl svm_enter
svm_enter:
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	push %rsi
	push %rdi

	/* GIF=0 holds everything back; RFLAGS.IF=1 at VMRUN lets physical interrupts end the guest (15.21.1). */
	clgi
	sti
	mov %rdi, %rax
	vmload %rax
	mov 0x308(%rsi), %rcx
	mov 0x310(%rsi), %rdx
	mov 0x318(%rsi), %rbx
	mov 0x328(%rsi), %rbp
	mov 0x338(%rsi), %rdi
	mov 0x340(%rsi), %r8
	mov 0x348(%rsi), %r9
	mov 0x350(%rsi), %r10
	mov 0x358(%rsi), %r11
	mov 0x360(%rsi), %r12
	mov 0x368(%rsi), %r13
	mov 0x370(%rsi), %r14
	mov 0x378(%rsi), %r15
	mov 0x330(%rsi), %rsi
	vmrun %rax
	vmsave %rax

	mov 8(%rsp), %rax
	mov %rcx, 0x308(%rax)
	mov %rdx, 0x310(%rax)
	mov %rbx, 0x318(%rax)
	mov %rbp, 0x328(%rax)
	mov %rsi, 0x330(%rax)
	mov %rdi, 0x338(%rax)
	mov %r8, 0x340(%rax)
	mov %r9, 0x348(%rax)
	mov %r10, 0x350(%rax)
	mov %r11, 0x358(%rax)
	mov %r12, 0x360(%rax)
	mov %r13, 0x368(%rax)
	mov %r14, 0x370(%rax)
	mov %r15, 0x378(%rax)
	mov 16(%rsp), %rax
	vmload %rax

	/* The interrupt that ended the guest is taken here, by the monitor's IDT. */
	stgi
	nop
	cli

	add $24, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	ret

	.section .note.GNU-stack, "", @progbits
