"""Networks that see images."""
