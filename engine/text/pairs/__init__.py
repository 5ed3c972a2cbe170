"""Texts that belong together, from which embeddings are learned."""
