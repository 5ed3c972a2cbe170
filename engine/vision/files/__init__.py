"""Images in files and columns, and those that were decoded before."""
