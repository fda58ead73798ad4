"""Know the machine that runs QEMU."""
