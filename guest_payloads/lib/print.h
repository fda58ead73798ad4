/* SPDX-License-Identifier: MIT */
/* How the code that a payload shares prints; each payload says how (port_printf), and what it is called. */
#ifndef PRINT_H
#define PRINT_H

#include "console.h"

extern const char payload_name[];

/* Print one line to a serial port. */
void port_printf(enum serial_port port, const char *format, ...) __printf(2, 3);

#endif
