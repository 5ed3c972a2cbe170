"""Charts drawn as text."""
