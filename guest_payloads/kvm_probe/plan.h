/* SPDX-License-Identifier: MIT */
#ifndef PLAN_H
#define PLAN_H

#include "types.h"

/* Parse the run= option; bails out on a mistake. Needs the number of CPUs. */
void plan_parse(void);
/* Report `boot` as the first result, then run the plan on CPU 0 and leave QEMU. */
__noreturn void plan_run(void);
/* Be another CPU: sleep until a step calls. */
void plan_worker(unsigned cpu);

#endif
