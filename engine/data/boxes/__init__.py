"""Boxes around objects in images: formats of annotations, and their checks."""
