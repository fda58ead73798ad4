/* SPDX-License-Identifier: MIT */
#include "isr_table.h"

	isr_table probe

	.section .note.GNU-stack, "", @progbits
