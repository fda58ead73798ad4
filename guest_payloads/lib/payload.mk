# SPDX-License-Identifier: MIT
# Included by a bare-metal payload's Makefile, which sets PAYLOAD: its own sources and those beside this file make
# OUT/PAYLOAD.elf. Objects go below OUT, nothing into the sources.
OUT ?= build
CC = gcc
WERROR ?=

HERE := $(patsubst %/,%,$(dir $(abspath $(firstword $(MAKEFILE_LIST)))))
LIB := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
OBJECT_DIR := $(OUT)/$(PAYLOAD).o
SOURCES := $(sort $(notdir $(wildcard $(HERE)/*.c $(HERE)/*.S $(LIB)/*.c $(LIB)/*.S)))
OBJECTS := $(addprefix $(OBJECT_DIR)/,$(addsuffix .o,$(SOURCES)))
HEADERS := $(wildcard $(HERE)/*.h $(LIB)/*.h)

# No SSE, no red zone (interrupts come on the same stack), no PIC: the image runs where it is linked. The prefix
# maps and the absent build id make two builds of one source equal byte for byte.
CFLAGS := -std=gnu11 -O2 -g -m64 -march=x86-64 -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only \
	-fno-stack-protector -fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -mcmodel=small \
	-fno-common -ffile-prefix-map=$(HERE)=. -ffile-prefix-map=$(LIB)=lib -Wa,--debug-prefix-map=$(HERE)=. \
	-Wa,--debug-prefix-map=$(LIB)=lib -I$(LIB) -Wall -Wextra -Wmissing-prototypes -Wvla $(if $(WERROR),-Werror)
LDFLAGS := -m64 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
	-Wl,-T,$(LIB)/link.ld

$(OUT)/$(PAYLOAD).elf: $(OBJECTS) $(LIB)/link.ld
	$(CC) $(LDFLAGS) -o $@ $(OBJECTS)

vpath %.c $(HERE) $(LIB)
vpath %.S $(HERE) $(LIB)

$(OBJECT_DIR)/%.c.o: %.c $(HEADERS) $(HERE)/Makefile $(LIB)/payload.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

$(OBJECT_DIR)/%.S.o: %.S $(HEADERS) $(HERE)/Makefile $(LIB)/payload.mk
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c -o $@ $<

.PHONY: clean
clean:
	rm -rf $(OBJECT_DIR) $(OUT)/$(PAYLOAD).elf
