/* SPDX-License-Identifier: MIT */
#include "model_bug.h"

#include "console.h"

void model_bug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	last_words("Bail out! vmpl_model: the model is wrong: ", format, args);
	leave_qemu(EXIT_MODEL_BUG);
}
