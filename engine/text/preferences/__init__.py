"""Prompts with a better and a worse answer."""
