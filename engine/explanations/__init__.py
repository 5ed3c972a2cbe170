"""Explanations of predictions: places of an image, words of a text, columns of a row."""
