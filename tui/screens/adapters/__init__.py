"""The list of adapters, and the dialog that combines them."""
