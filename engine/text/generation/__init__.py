"""Texts that networks write."""
