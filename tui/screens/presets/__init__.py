"""Presets, and how one is saved."""
