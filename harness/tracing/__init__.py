"""Watch a boot from its host's kernel: tracefs, its log, its taint; everything by shell scripts over a host."""
