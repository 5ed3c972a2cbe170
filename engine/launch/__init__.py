"""Start a worker and watch it, on one machine or several."""
