/* SPDX-License-Identifier: MIT */
/* KTAP version 1 (Linux Documentation/dev-tools/ktap.rst) on the second serial port. */
#ifndef KTAP_H
#define KTAP_H

#include "print.h"

void ktap_begin(unsigned tests);
#define ktap_diagnostic(...) port_printf(REPORT, "# " __VA_ARGS__)
void ktap_result(const char *name, bool ok);
unsigned ktap_failures(void);

#endif
