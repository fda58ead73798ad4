/* SPDX-License-Identifier: MIT */
/* PCI configuration space by mechanism 1 (PCI local bus specification 3.0, 3.2.2.3.2), bus 0 only. */
#ifndef PCI_H
#define PCI_H

#include "types.h"

#define PCI_COMMAND 0x04
#define PCI_COMMAND_IO 0x1
#define PCI_COMMAND_MASTER 0x4
#define PCI_COMMAND_MEMORY 0x2
#define PCI_BAR0 0x10
#define PCI_CAPABILITIES 0x34
#define PCI_CAP_MSI 0x05

/* Return the device number with these ids, or -1. */
int pci_find(u16 vendor, u16 device);
u32 pci_read(unsigned device, unsigned reg);
void pci_write(unsigned device, unsigned reg, u32 value);
/* Return where the capability with this id begins (3.0, 6.7), or 0. */
unsigned pci_find_capability(unsigned device, u8 id);

#endif
