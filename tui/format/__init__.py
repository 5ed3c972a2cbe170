"""Numbers, states and records as text."""
