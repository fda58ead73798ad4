/* SPDX-License-Identifier: MIT */
#ifndef MODEL_BUG_H
#define MODEL_BUG_H

#include "types.h"

/* The monitor is wrong: say where on both ports and leave with EXIT_MODEL_BUG. */
__noreturn void model_bug(const char *format, ...) __printf(1, 2);

#endif
