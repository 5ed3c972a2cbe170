"""Conversations and prompts as tokens, and which of these are learned."""
