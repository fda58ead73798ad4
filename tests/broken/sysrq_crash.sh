# Process 1 asks the kernel to crash.
echo c >/proc/sysrq-trigger
