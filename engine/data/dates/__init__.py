"""Dates in their many spellings: texts and whole numbers."""
