"""Plain records that people are shown."""
