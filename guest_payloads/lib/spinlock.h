/* SPDX-License-Identifier: MIT */
/* A lock for the monitor only. A VMPL never takes one: the monitor may leave a VMPL at any instruction. */
#ifndef SPINLOCK_H
#define SPINLOCK_H

#include "processor.h"

struct spinlock {
	u32 held;
};

static inline bool spin_trylock(struct spinlock *lock)
{
	return !__atomic_exchange_n(&lock->held, 1, __ATOMIC_ACQUIRE);
}

static inline void spin_lock(struct spinlock *lock)
{
	while (!spin_trylock(lock))
		while (READ_ONCE(lock->held))
			pause();
}

static inline void spin_unlock(struct spinlock *lock)
{
	__atomic_store_n(&lock->held, 0, __ATOMIC_RELEASE);
}

#endif
