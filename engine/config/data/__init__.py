"""The fields of each data source."""
