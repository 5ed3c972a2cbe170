"""Questions that the helper process answers."""
