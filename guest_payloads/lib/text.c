/* SPDX-License-Identifier: MIT */
#include "text.h"

void *memcpy(void *to, const void *from, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
	return start;
}

void *memset(void *to, int value, size_t bytes)
{
	void *start = to;

	__asm__ volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
	return start;
}

int memcmp(const void *a, const void *b, size_t bytes)
{
	const u8 *x = a, *y = b;

	for (; bytes; bytes--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return end - s;
}

static char *put_number(char *to, char *end, u64 value, unsigned base, unsigned width, char fill, bool negative)
{
	char digits[24];
	unsigned count = 0;

	do {
		unsigned digit = value % base;

		digits[count++] = digit < 10 ? '0' + digit : 'a' + digit - 10;
		value /= base;
	} while (value);
	if (negative)
		digits[count++] = '-';
	for (; width > count && to < end; width--)
		*to++ = fill;
	while (count && to < end)
		*to++ = digits[--count];
	return to;
}

/* Hexadecimal is most of a trace: shifts instead of 64-bit divisions halve the cost of a line. */
static char *put_hex(char *to, char *end, u64 value, unsigned width, char fill)
{
	unsigned count = value ? (67 - __builtin_clzll(value)) / 4 : 1;

	for (; width > count && to < end; width--)
		*to++ = fill;
	while (count && to < end)
		*to++ = "0123456789abcdef"[value >> 4 * --count & 15];
	return to;
}

size_t vformat_text(char *to, size_t room, const char *format, va_list args)
{
	char *start = to, *end = to + room - 1;

	for (; *format && to < end; format++) {
		unsigned width = 0, longs = 0;
		char fill = ' ';
		u64 value;

		if (*format != '%') {
			*to++ = *format;
			continue;
		}
		format++;
		if (*format == '0')
			fill = *format++;
		while (*format >= '0' && *format <= '9')
			width = width * 10 + (*format++ - '0');
		while (*format == 'l')
			longs++, format++;
		switch (*format) {
		case 's': {
			const char *s = va_arg(args, const char *);

			while (*s && to < end)
				*to++ = *s++;
			break;
		}
		case 'c':
			*to++ = va_arg(args, int);
			break;
		case 'd': {
			long signed_value = longs ? va_arg(args, long) : va_arg(args, int);
			bool negative = signed_value < 0;

			to = put_number(to, end, negative ? -(u64)signed_value : (u64)signed_value, 10, width, fill, negative);
			break;
		}
		case 'u':
			value = longs ? va_arg(args, u64) : va_arg(args, u32);
			to = put_number(to, end, value, 10, width, fill, false);
			break;
		case 'x':
			value = longs ? va_arg(args, u64) : va_arg(args, u32);
			to = put_hex(to, end, value, width, fill);
			break;
		default:
			*to++ = *format;
		}
	}
	*to = 0;
	return to - start;
}

size_t format_text(char *to, size_t room, const char *format, ...)
{
	va_list args;
	size_t bytes;

	va_start(args, format);
	bytes = vformat_text(to, room, format, args);
	va_end(args);
	return bytes;
}

bool span_equals(struct span s, const char *text)
{
	return s.bytes == strlen(text) && !memcmp(s.at, text, s.bytes);
}

struct span span_cut(struct span *rest, char separator)
{
	struct span part = {rest->at, 0};

	while (part.bytes < rest->bytes && part.at[part.bytes] != separator)
		part.bytes++;
	rest->at += part.bytes;
	rest->bytes -= part.bytes;
	if (rest->bytes) {
		rest->at++;
		rest->bytes--;
	}
	return part;
}

bool span_number(struct span s, u64 *value)
{
	unsigned base = 10;

	if (s.bytes > 2 && s.at[0] == '0' && s.at[1] == 'x') {
		base = 16;
		s.at += 2;
		s.bytes -= 2;
	}
	if (!s.bytes)
		return false;
	*value = 0;
	for (; s.bytes; s.at++, s.bytes--) {
		unsigned digit = *s.at >= '0' && *s.at <= '9'   ? *s.at - '0'
				 : *s.at >= 'a' && *s.at <= 'f' ? *s.at - 'a' + 10
								: 99;

		if (digit >= base || *value > (~0ull - digit) / base)
			return false;
		*value = *value * base + digit;
	}
	return true;
}
