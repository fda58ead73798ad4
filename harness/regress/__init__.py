"""Bisect a failure that does not happen in every boot: over commits, lists of files, and differences of settings."""
