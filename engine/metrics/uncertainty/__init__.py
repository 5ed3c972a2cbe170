"""Intervals of metrics, differences in pairs, and the verdict."""
