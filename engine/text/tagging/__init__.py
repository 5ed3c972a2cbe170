"""Sentences whose words have tags, in the forms that people keep them."""
