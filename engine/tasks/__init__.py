"""What can be learned: one file a task, listed in :mod:`engine.config.tasks.registry`."""
