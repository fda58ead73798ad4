/* SPDX-License-Identifier: MIT */
#include "virtio_console.h"

#include "pci.h"
#include "processor.h"
#include "text.h"

#define VIRTIO_PCI_VENDOR 0x1af4
#define VIRTIO_PCI_TRANSITIONAL_CONSOLE 0x1003

/* Legacy registers, virtio 1.2, 4.1.4.10. */
#define GUEST_FEATURES 4
#define QUEUE_ADDRESS 8
#define QUEUE_SIZE 12
#define QUEUE_SELECT 14
#define QUEUE_NOTIFY 16
#define DEVICE_STATUS 18

#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4

/* 5.3.2: without MULTIPORT there is receiveq 0 and transmitq 1. */
#define TRANSMIT_QUEUE 1
/* QEMU 7.2 makes it 128 entries, QEMU 10.0 1024; 2.7.1 allows 32768. */
#define MAX_QUEUE_SIZE 1024
#define AVAIL_NO_INTERRUPT 1

struct virtq_desc {
	u64 address;
	u32 bytes;
	u16 flags;
	u16 next;
};

struct virtq_avail {
	u16 flags;
	u16 index;
	u16 ring[];
};

struct virtq_used {
	u16 flags;
	u16 index;
};

/* 16 bytes a descriptor, 2 an available entry, and from the next page on 8 a used entry: 28 678 bytes at most. */
static u8 queue[8 * PAGE_SIZE] __page_aligned;
static struct virtq_avail *avail;
static struct virtq_used *used;
static u16 io_base, queue_size;

bool virtio_console_init(void)
{
	int device = pci_find(VIRTIO_PCI_VENDOR, VIRTIO_PCI_TRANSITIONAL_CONSOLE);
	size_t used_at;
	u32 bar;

	if (device < 0)
		return false;
	bar = pci_read(device, PCI_BAR0);
	if (!(bar & 1))
		return false;
	io_base = bar & ~3;
	pci_write(device, PCI_COMMAND, pci_read(device, PCI_COMMAND) | PCI_COMMAND_IO | PCI_COMMAND_MASTER);

	outb(io_base + DEVICE_STATUS, 0);
	outb(io_base + DEVICE_STATUS, STATUS_ACKNOWLEDGE);
	outb(io_base + DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER);
	outl(io_base + GUEST_FEATURES, 0);
	outw(io_base + QUEUE_SELECT, TRANSMIT_QUEUE);
	queue_size = inw(io_base + QUEUE_SIZE);
	if (!queue_size || queue_size > MAX_QUEUE_SIZE)
		return false;
	/* 2.7.2: descriptors, then the available ring, then the used ring at the next page. */
	avail = (void *)(queue + sizeof(struct virtq_desc) * queue_size);
	used_at = sizeof(struct virtq_desc) * queue_size + 2 * (3 + queue_size);
	used = (void *)(queue + ((used_at + PAGE_SIZE - 1) & ~(size_t)(PAGE_SIZE - 1)));
	avail->flags = AVAIL_NO_INTERRUPT;
	outl(io_base + QUEUE_ADDRESS, (u64)queue / PAGE_SIZE);
	outb(io_base + DEVICE_STATUS, STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_DRIVER_OK);
	return true;
}

void virtio_console_write(const void *from, u32 bytes)
{
	struct virtq_desc *desc = (void *)queue;

	desc->address = (u64)from;
	desc->bytes = bytes;
	desc->flags = 0;
	avail->ring[avail->index % queue_size] = 0;
	__atomic_store_n(&avail->index, (u16)(avail->index + 1), __ATOMIC_RELEASE);
	outw(io_base + QUEUE_NOTIFY, TRANSMIT_QUEUE);
	while (__atomic_load_n(&used->index, __ATOMIC_ACQUIRE) != avail->index)
		pause();
}
