/*
 * What a kvm-unit-tests x86 image does, as far as QEMU and a harness can see it: an ELF32 multiboot image that prints
 * report lines on the first serial port and ends QEMU by isa-debug-exit (lib/x86/io.c exit()).
 */
	.set MAGIC, 0x1badb002
	.section .multiboot, "a"
	.balign 4
	.long MAGIC, 0, -MAGIC

	.text
	.code32
	.globl _start
_start:
	mov $report, %esi
	mov $0x3f8, %dx
1:	lodsb
	test %al, %al
	jz 2f
	outb %al, %dx
	jmp 1b
2:	mov $EXIT_CODE, %eax
	mov $0xf4, %dx
	outl %eax, %dx
3:	hlt
	jmp 3b

	.section .rodata
report:
	.ascii "enabling apic\n"
	.ascii "PASS: vmcall: returns to the next instruction\n"
	.ascii "SKIP: avic (1 tests, no AVIC)\n"
	.ascii LAST_LINE
	.asciz SUMMARY_LINE
