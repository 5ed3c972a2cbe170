"""Tokenizers, and their tokens in windows, rows and batches."""
