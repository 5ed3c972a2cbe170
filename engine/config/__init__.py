"""What can be set in an experiment; loads nothing heavy."""
