#!/bin/sh
# An SSH server that says it listens, and does not.
exit 0
