"""Experiments as jobs for those who hand out machines: texts, and how they are submitted."""
