"""Spend a night: which campaign is worth the next minutes, and which earlier evidence still counts."""
