/* SPDX-License-Identifier: MIT */
#ifndef PLAN_H
#define PLAN_H

/* Parse the run= option; bails out on a mistake. Needs the number of CPUs. Host mode. */
void plan_parse(void);

#endif
