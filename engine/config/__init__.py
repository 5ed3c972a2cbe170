"""The configuration of an experiment; imports nothing heavy."""
