"""The terminal around Textual: output, keys, capabilities."""
