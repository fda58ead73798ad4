# The guest resets, and would do so for ever.
reboot -f
