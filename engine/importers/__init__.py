"""Runs of other programs, read into the history for comparing."""
