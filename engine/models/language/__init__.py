"""Transformers for text: heads, tokenizers, losses over a vocabulary."""
