"""The fields of each model."""
