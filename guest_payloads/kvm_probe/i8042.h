/* SPDX-License-Identifier: MIT */
#ifndef I8042_H
#define I8042_H

/* Let the keyboard interrupt `cpu` with `vector`; its own answer is not counted. */
void i8042_enable_keyboard(unsigned vector, unsigned cpu);
void i8042_disable_keyboard(void);
/* Take the byte of one interrupt. One without a byte must not take the byte of the next. */
void i8042_take_byte(void);

#endif
