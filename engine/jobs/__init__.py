"""Experiments as jobs on clusters: job files, and their submission."""
