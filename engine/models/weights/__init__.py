"""Weights of networks: where they are, how they are read, and networks without them."""
