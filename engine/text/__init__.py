"""Text on its way to a network: tokenizers, caches, padding, batches by length."""
