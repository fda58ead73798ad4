"""Start one QEMU, talk to it, follow its consoles, and leave nothing of it behind."""
