"""Runs that wait in a queue."""
