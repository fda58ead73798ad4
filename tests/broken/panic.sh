# Process 1 ends, so the kernel panics.
exit 3
