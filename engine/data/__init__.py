"""From a file or a name to rows and splits."""
