"""A form made from the fields of a configuration."""
