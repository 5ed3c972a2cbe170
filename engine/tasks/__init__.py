"""The tasks: one file each, listed in :mod:`engine.config.tasks.registry`."""
