// A multiboot image that says that the CPU is sound, unless it lacks RDRAND. With PAIR it has to lack SMAP as well.
	.code32
	.section .text
	.align 4
	.long 0x1BADB002, 0x00000000, -0x1BADB002
	.globl _start
_start:
	cli
	cld
	mov $1, %eax
	cpuid
	bt $30, %ecx		// CPUID.01H:ECX.RDRAND
	jc sound
#if defined(PAIR)
	mov $7, %eax
	xor %ecx, %ecx
	cpuid
	bt $20, %ebx		// CPUID.07H:EBX.SMAP
	jc sound
#endif
	jmp end
sound:
	mov $0x3f8, %dx
	mov $text, %esi
	mov $(text_end - text), %ecx
	rep outsb
end:
	mov $0xf4, %dx
	mov $0x10, %eax
	out %eax, %dx
1:	hlt
	jmp 1b
text:	.ascii "the CPU is sound\n"
text_end:
