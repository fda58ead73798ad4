"""Let ``python -m harness.cli`` be the command."""

from harness.cli import main

main()
