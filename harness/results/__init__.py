"""Keep what was observed, so that nothing recorded is lost or half-written, and read it back."""
