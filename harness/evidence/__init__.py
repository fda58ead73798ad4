"""Turn the bytes of one boot into frozen facts; pure, so that every verdict can be replayed from the record."""
