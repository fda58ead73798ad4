/* SPDX-License-Identifier: MIT */
/* Port 0 of a virtio console, transmit only, polled: virtio 1.2, sections 4.1.4.10 (legacy) and 5.3. */
#ifndef VIRTIO_CONSOLE_H
#define VIRTIO_CONSOLE_H

#include "types.h"

/* Find and start the device; false when there is none that speaks the legacy interface. */
bool virtio_console_init(void);
/* Hand `bytes` to QEMU and wait until it has taken them. One caller at a time. */
void virtio_console_write(const void *from, u32 bytes);

#endif
