"""Exit status of ``dltui``."""

DONE = 0
FAILED = 1
"""A run failed, or the program made a mistake."""
USAGE = 2
"""Wrong usage, configuration or data."""
INTERRUPTED = 130
"""Ended by ctrl+c."""
TERMINATED = 143
"""Ended by the system (SIGTERM); a run is resumed from its checkpoint by ``--resume``."""
