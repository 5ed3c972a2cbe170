"""Parts of an update: precision, clipping, the optimizer."""
