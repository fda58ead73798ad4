/* SPDX-License-Identifier: MIT */
/* The keyboard and its controller, for whichever VMPL has them; by GHCB events, so interrupts must be off. */
#ifndef I8042_H
#define I8042_H

/* Route the keyboard's GSI to `vector` on the boot CPU and let the keyboard interrupt; its own answer is not counted. */
void i8042_enable_keyboard(unsigned vector);
/* Take the byte of one interrupt. One without a byte must not take the byte of the next. */
void i8042_take_byte(void);

#endif
