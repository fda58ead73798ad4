/* SPDX-License-Identifier: MIT */
/* How much memory the bookkeeping of page states covers: all that the payload uses. */
#ifndef PAGE_STATE_H
#define PAGE_STATE_H

#include "types.h"

#define MEMORY_BYTES (64ull << 20)
#define MEMORY_PAGES (MEMORY_BYTES / PAGE_SIZE)

#endif
