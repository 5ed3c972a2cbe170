"""Checkpoints: the state of a training, its shards, and where they are kept."""
