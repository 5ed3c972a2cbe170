"""The networks that can be chosen: one file a section, listed in :mod:`engine.models.registry`."""
