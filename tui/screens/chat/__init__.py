"""A conversation with finished language models."""
