"""The list of runs, and what belongs to it."""
