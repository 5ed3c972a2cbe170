"""Where data comes from: one file a source, listed in :mod:`engine.data.registry`."""
