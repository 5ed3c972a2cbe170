"""Evaluators: what each kind of task counts; imported only by the process that trains."""
