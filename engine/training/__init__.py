"""The trainer and its parts; imported only by the process that trains."""
