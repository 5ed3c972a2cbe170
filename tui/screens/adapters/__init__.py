"""Adapters, and how they are combined."""
