/* SPDX-License-Identifier: MIT */
#include "ktap.h"

static unsigned number, failures;

void ktap_begin(unsigned tests)
{
	port_printf(REPORT, "KTAP version 1\n1..%u\n", tests);
}

void ktap_result(const char *name, bool ok)
{
	port_printf(REPORT, "%s %u %s\n", ok ? "ok" : "not ok", ++number, name);
	failures += !ok;
}

unsigned ktap_failures(void)
{
	return failures;
}
