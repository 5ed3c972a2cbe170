"""Networks for rows of tables."""
