"""The results of a run: its summary, and every view of its report."""
