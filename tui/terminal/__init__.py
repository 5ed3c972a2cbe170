"""What goes around Textual: output, keys, capabilities of the terminal."""
