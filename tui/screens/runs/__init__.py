"""The list of runs, and its dialogs."""
