"""Report a failure that is known as known, for as long as it is no worse and no older than what was accepted."""
