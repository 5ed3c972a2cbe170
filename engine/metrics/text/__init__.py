"""Metrics and losses of texts: language, tags, answers, translations, preferences."""
