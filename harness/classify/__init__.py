"""Say how a boot ended: bytes to an outcome and a signature that is the same for the same fault."""
