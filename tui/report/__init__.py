"""A run written down for those who have no terminal: one page, as Markdown or as HTML."""
