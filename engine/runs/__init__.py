"""Run directories: events, history, lists, filters, trash."""
