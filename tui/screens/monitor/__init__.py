"""The screen that shows a run."""
