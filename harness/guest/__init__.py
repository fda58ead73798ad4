"""Make a Linux guest: its kernel, its initramfs, its keys, and a shell on it."""
