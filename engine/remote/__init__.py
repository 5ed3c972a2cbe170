"""Runs for a terminal on another machine: what ``dltui --stdio`` answers over SSH."""
