/* SPDX-License-Identifier: MIT */
/* QEMU's educational PCI device, as a source of MSIs on request (QEMU docs/specs/edu.rst). */
#ifndef EDU_H
#define EDU_H

#include "types.h"

/* Find the device; false when this machine has none (-device edu). */
bool edu_find(void);
/* Send its MSI to `vector` of `cpu`, physical destination, edge (Intel SDM 3A, 10.11). */
void edu_route(unsigned cpu, unsigned vector);
/* Raise one MSI. */
void edu_raise(void);
void edu_disable(void);

#endif
