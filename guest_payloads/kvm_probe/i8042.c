/* SPDX-License-Identifier: MIT */
/* The keyboard by plain port accesses; vmpl_model has the same by GHCB events. */
#include "i8042.h"

#include "ioapic.h"
#include "processor.h"

/* Intel 8042, as in the PS/2 technical reference, "Keyboard/Auxiliary Device Controller". */
#define I8042_DATA 0x60
#define I8042_COMMAND 0x64
#define I8042_STATUS_OUTPUT_FULL 0x01
#define I8042_STATUS_INPUT_FULL 0x02
#define I8042_WRITE_COMMAND_BYTE 0x60
#define I8042_TRANSLATE_NO_IRQ 0x60	/* scan code set 1, auxiliary device off */
#define I8042_TRANSLATE_IRQ 0x61
#define KEYBOARD_ENABLE_SCANNING 0xf4
#define KEYBOARD_ACK 0xfa

static void write_i8042(u16 port, u8 value)
{
	while (inb(I8042_COMMAND) & I8042_STATUS_INPUT_FULL)
		pause();
	outb(port, value);
}

static void write_command_byte(u8 value)
{
	write_i8042(I8042_COMMAND, I8042_WRITE_COMMAND_BYTE);
	write_i8042(I8042_DATA, value);
}

/* Interrupts stay off in the controller until the keyboard's own answer is read. */
void i8042_enable_keyboard(unsigned vector, unsigned cpu)
{
	write_command_byte(I8042_TRANSLATE_NO_IRQ);
	while (inb(I8042_COMMAND) & I8042_STATUS_OUTPUT_FULL)
		inb(I8042_DATA);
	write_i8042(I8042_DATA, KEYBOARD_ENABLE_SCANNING);
	while (!(inb(I8042_COMMAND) & I8042_STATUS_OUTPUT_FULL) || inb(I8042_DATA) != KEYBOARD_ACK)
		pause();
	ioapic_set_route(KEYBOARD_GSI, vector, cpu);
	write_command_byte(I8042_TRANSLATE_IRQ);
}

void i8042_disable_keyboard(void)
{
	ioapic_mask(KEYBOARD_GSI);
	write_command_byte(I8042_TRANSLATE_NO_IRQ);
}

void i8042_take_byte(void)
{
	if (inb(I8042_COMMAND) & I8042_STATUS_OUTPUT_FULL)
		inb(I8042_DATA);
}
