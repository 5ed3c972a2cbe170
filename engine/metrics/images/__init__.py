"""Metrics of images: mistakes, masks, boxes."""
