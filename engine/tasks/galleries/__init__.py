"""Predictions of single inputs to look through on a screen."""
