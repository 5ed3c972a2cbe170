"""Shared parts of tasks on images: columns, augmentation, sources."""
