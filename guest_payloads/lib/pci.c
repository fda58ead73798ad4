/* SPDX-License-Identifier: MIT */
#include "pci.h"

#include "processor.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc

u32 pci_read(unsigned device, unsigned reg)
{
	outl(CONFIG_ADDRESS, 0x80000000u | device << 11 | reg);
	return inl(CONFIG_DATA);
}

void pci_write(unsigned device, unsigned reg, u32 value)
{
	outl(CONFIG_ADDRESS, 0x80000000u | device << 11 | reg);
	outl(CONFIG_DATA, value);
}

int pci_find(u16 vendor, u16 device)
{
	for (unsigned i = 0; i < 32; i++)
		if (pci_read(i, 0) == (vendor | (u32)device << 16))
			return i;
	return -1;
}

unsigned pci_find_capability(unsigned device, u8 id)
{
	/* Each is four bytes or more of the 192 behind the header, so that a ring of them ends too. */
	unsigned at = pci_read(device, PCI_CAPABILITIES) & 0xfc;

	for (unsigned i = 0; at && i < 48; i++) {
		u32 header = pci_read(device, at);

		if ((header & 0xff) == id)
			return at;
		at = header >> 8 & 0xfc;
	}
	return 0;
}
