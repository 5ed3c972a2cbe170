"""Metrics of classes, calibration, and the threshold between two of them."""
