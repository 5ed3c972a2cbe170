"""Start and supervise workers, on one node or several."""
