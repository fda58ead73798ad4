/* SPDX-License-Identifier: MIT */
#include "edu.h"

#include "pci.h"
#include "processor.h"

/* QEMU hw/misc/edu.c, and docs/specs/edu.rst for the registers. */
#define EDU_VENDOR 0x1234
#define EDU_DEVICE 0x11e8
#define EDU_INTERRUPT_STATUS 0x24
#define EDU_INTERRUPT_RAISE 0x60
#define EDU_INTERRUPT_ACKNOWLEDGE 0x64

/* PCI local bus specification 3.0, 6.8.1: the form with a 64-bit address, which this device has. */
#define MSI_CONTROL_ENABLE (1u << 16)
#define MSI_CONTROL_64BIT (1u << 23)
#define MSI_ADDRESS 4
#define MSI_ADDRESS_HIGH 8
#define MSI_DATA 12
#define MSI_ADDRESS_BASE 0xfee00000u

static int device = -1;
static unsigned msi;
static volatile u32 *registers;

bool edu_find(void)
{
	u32 bar;

	device = pci_find(EDU_VENDOR, EDU_DEVICE);
	if (device < 0)
		return false;
	msi = pci_find_capability(device, PCI_CAP_MSI);
	bar = pci_read(device, PCI_BAR0);
	if (!msi || !(pci_read(device, msi) & MSI_CONTROL_64BIT) || bar & 1 || !(bar & ~15u))
		return false;
	registers = (volatile u32 *)(u64)(bar & ~15u);
	pci_write(device, PCI_COMMAND, pci_read(device, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	return true;
}

void edu_route(unsigned cpu, unsigned vector)
{
	u32 control = pci_read(device, msi);

	pci_write(device, msi, control & ~MSI_CONTROL_ENABLE);
	pci_write(device, msi + MSI_ADDRESS, MSI_ADDRESS_BASE | cpu << 12);
	pci_write(device, msi + MSI_ADDRESS_HIGH, 0);
	pci_write(device, msi + MSI_DATA, vector);
	pci_write(device, msi, control | MSI_CONTROL_ENABLE);
}

/* An MSI has no level: acknowledging clears only what the status register shows. */
void edu_raise(void)
{
	registers[EDU_INTERRUPT_ACKNOWLEDGE / 4] = registers[EDU_INTERRUPT_STATUS / 4];
	registers[EDU_INTERRUPT_RAISE / 4] = 1;
}

void edu_disable(void)
{
	pci_write(device, msi, pci_read(device, msi) & ~MSI_CONTROL_ENABLE);
}
