"""Images as cells of the terminal, and where they are drawn."""
