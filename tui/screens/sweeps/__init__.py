"""Sweeps, one sweep, and a new sweep."""
