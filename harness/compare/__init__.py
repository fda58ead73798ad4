"""Compare settings, or recorded runs: failure rates, kinds of failure, and how long start-up takes."""
