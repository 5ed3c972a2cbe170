"""The fields of each task."""
