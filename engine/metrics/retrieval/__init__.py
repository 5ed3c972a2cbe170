"""Metrics of vectors of texts."""
