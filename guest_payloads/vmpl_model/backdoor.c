/* SPDX-License-Identifier: MIT */
#include "backdoor.h"

#define LINE_BYTES 320

void port_printf(enum serial_port port, const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = vformat_text(line, sizeof(line), format, args);
	va_end(args);
	backdoor(BACKDOOR_PRINT, port, line, bytes);
}

void mark_printf(const char *format, ...)
{
	char line[LINE_BYTES];
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = vformat_text(line, sizeof(line), format, args);
	va_end(args);
	backdoor(BACKDOOR_MARK, 0, line, bytes);
}
