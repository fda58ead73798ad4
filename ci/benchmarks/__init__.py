"""Benches: what the project promises about speed, measured beside something that everybody can have."""
