"""The list of sweeps, one sweep, and the dialog for a new sweep."""
