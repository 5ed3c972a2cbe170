"""Parts of the data pipelines of tables."""
