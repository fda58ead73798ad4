/* SPDX-License-Identifier: MIT */
#include "options.h"

#include "console.h"
#include "faults.h"

struct options options = {
	.guest_vmpl = 2,
	.nmi_vmpl = ~0u,
	.trace_limit_lines = 1000000,
	.await_ms = 5000,
	.slow_ms = 1000,
	.seed = 1,
};

static const char *const flavour_names[] = {
	[FLAVOUR_ROY] = "roy", [FLAVOUR_TOM] = "tom", [FLAVOUR_PLANES_V1] = "planes-v1"};
static const char *const end_names[] = {[END_EXIT] = "exit", [END_IDLE] = "idle"};
static const char *const trace_names[] = {
	[TRACE_AUTO] = "auto", [TRACE_VIRTIO] = "virtio", [TRACE_DEBUGCON] = "debugcon", [TRACE_NONE] = "none"};

const char *flavour_name(void)
{
	return flavour_names[options.flavour];
}

const char *trace_channel_name(void)
{
	return trace_names[options.trace];
}

/* format_text knows no %.*s, so that names of options go through here. */
static __noreturn void refuse(const char *what, struct span word)
{
	char text[80];
	size_t bytes = word.bytes < sizeof(text) - 1 ? word.bytes : sizeof(text) - 1;

	memcpy(text, word.at, bytes);
	text[bytes] = 0;
	bail_out("%s: %s", what, text);
}

static unsigned choose(struct span word, struct span value, const char *const *names, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (span_equals(value, names[i]))
			return i;
	refuse("unknown value in", word);
}

static u64 number(struct span word, struct span value, u64 least, u64 most)
{
	u64 n;

	if (!span_number(value, &n) || n < least || n > most)
		refuse("number missing or out of range in", word);
	return n;
}

static void parse_word(struct span word)
{
	struct span value = word, key = span_cut(&value, '=');

	if (key.bytes == word.bytes)
		refuse("not KEY=VALUE", word);
	if (span_equals(key, "flavour"))
		options.flavour = choose(word, value, flavour_names, ARRAY_SIZE(flavour_names));
	else if (span_equals(key, "end"))
		options.end = choose(word, value, end_names, ARRAY_SIZE(end_names));
	else if (span_equals(key, "trace"))
		options.trace = choose(word, value, trace_names, ARRAY_SIZE(trace_names));
	else if (span_equals(key, "guest-vmpl"))
		options.guest_vmpl = number(word, value, 1, 3);
	else if (span_equals(key, "nmi-vmpl"))
		options.nmi_vmpl = number(word, value, 0, 3);
	else if (span_equals(key, "trace-limit"))
		options.trace_limit_lines = number(word, value, 1, ~0ull);
	else if (span_equals(key, "await-ms"))
		options.await_ms = number(word, value, 1, 600000);
	else if (span_equals(key, "slow-ms"))
		options.slow_ms = number(word, value, 1, 600000);
	else if (span_equals(key, "svsm-keys"))
		options.svsm_keys = number(word, value, 0, 1000);
	else if (span_equals(key, "seed"))
		options.seed = number(word, value, 0, ~0ull);
	else if (span_equals(key, "fault")) {
		if (!fault_parse(value))
			refuse("not NAME[:RATE[:AFTER]] of a known fault", word);
	} else if (span_equals(key, "run"))
		options.plan = value;
	else
		refuse("unknown option", word);
}

void options_parse(const char *command_line)
{
	struct span rest = {command_line, strlen(command_line)};

	while (rest.bytes) {
		struct span word = span_cut(&rest, ' ');

		if (word.bytes)
			parse_word(word);
	}
	if (options.flavour == FLAVOUR_TOM && fault_needs_own_apics())
		bail_out("flavour=tom has one APIC for all VMPLs: a fault that sends to the wrong VMPL means nothing");
	if (options.nmi_vmpl == ~0u)
		options.nmi_vmpl = options.guest_vmpl;
	if (options.nmi_vmpl != 0 && options.nmi_vmpl != options.guest_vmpl)
		bail_out("nmi-vmpl must be 0 or the guest's VMPL: nobody runs at VMPL%u", options.nmi_vmpl);
}
