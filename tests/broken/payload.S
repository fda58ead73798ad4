// A multiboot image of a few instructions. EXIT, HANG and FLOOD say what it does.
	.code32
	.section .text
	.align 4
	.long 0x1BADB002, 0x00000000, -0x1BADB002
	.globl _start
_start:
	cli
	mov $0x3f8, %dx
	cld
	mov $hello, %esi
	mov $(end - hello), %ecx
	rep outsb
#if defined(EXIT)
	mov $0xf4, %dx
	mov $0x10, %eax
	out %eax, %dx
#elif defined(FLOOD)
1:	mov $line, %esi
	mov $(flood_end - line), %ecx
	rep outsb
	jmp 1b
#endif
2:	hlt
	jmp 2b
hello:	.ascii "svsm-harness: ready\n"
end:
line:	.fill 4095, 1, 'y'
	.ascii "\n"
flood_end:
