/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "console.h"

struct options options = {.await_ms = 5000};

/* format_text knows no %.*s. */
static __noreturn void refuse(const char *what, struct span word)
{
	char text[80];
	size_t bytes = word.bytes < sizeof(text) - 1 ? word.bytes : sizeof(text) - 1;

	memcpy(text, word.at, bytes);
	text[bytes] = 0;
	bail_out("%s: %s", what, text);
}

static void parse_word(struct span word)
{
	struct span value = word, key = span_cut(&value, '=');

	if (key.bytes == word.bytes)
		refuse("not KEY=VALUE", word);
	if (span_equals(key, "run"))
		options.plan = value;
	else if (span_equals(key, "fault") && span_equals(value, "one-more"))
		options.one_more = true;
	else if (span_equals(key, "fault") && span_equals(value, "astray"))
		options.astray = true;
	else if (span_equals(key, "end") && (span_equals(value, "exit") || span_equals(value, "idle")))
		options.stay = span_equals(value, "idle");
	else if (span_equals(key, "end") || span_equals(key, "fault"))
		refuse("unknown value in", word);
	else if (!span_equals(key, "await-ms"))
		refuse("unknown option", word);
	else if (!span_number(value, &options.await_ms) || options.await_ms < 1 || options.await_ms > 600000)
		refuse("number missing or out of range in", word);
}

void options_parse(const char *command_line)
{
	struct span rest = {command_line, strlen(command_line)};

	while (rest.bytes) {
		struct span word = span_cut(&rest, ' ');

		if (word.bytes)
			parse_word(word);
	}
}
