"""The terminal: screens and commands. It shows and asks; everything heavy happens elsewhere."""
