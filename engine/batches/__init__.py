"""Batches of tensors: sources, order, prefetch, memory maps."""
