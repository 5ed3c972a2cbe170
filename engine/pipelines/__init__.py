"""From a file or a name to rows that a task can encode: one pipeline for each task."""
