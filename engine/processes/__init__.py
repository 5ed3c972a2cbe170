"""Processes of the operating system: identity, locks, signals."""
