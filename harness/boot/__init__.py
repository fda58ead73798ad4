"""Make one boot of one setting, from the kernel image to a record on the disk."""
