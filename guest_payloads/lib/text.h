/* SPDX-License-Identifier: MIT */
/* Text: formatting and the few string functions that gcc expects or the options need. */
#ifndef TEXT_H
#define TEXT_H

#include "types.h"

void *memcpy(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
size_t strlen(const char *s);

/*
 * %s %c %u %d %x with flags 0, width and l; %% too. Returns the length that was written, without the final
 * NUL; a text that does not fit is cut.
 */
size_t format_text(char *to, size_t room, const char *format, ...) __printf(3, 4);
size_t vformat_text(char *to, size_t room, const char *format, va_list args);

/* A run of characters inside somebody else's string. */
struct span {
	const char *at;
	size_t bytes;
};

bool span_equals(struct span s, const char *text);
/* Cut the part before `separator` off `rest`; the last part ends where `rest` ends. */
struct span span_cut(struct span *rest, char separator);
/* Parse a whole decimal or 0x number; false when a character is left or 64 bits do not hold it. */
bool span_number(struct span s, u64 *value);

#endif
