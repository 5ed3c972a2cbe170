"""Metrics of rows of tables, and the importance of columns."""
