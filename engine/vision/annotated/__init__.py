"""Images with masks or boxes."""
