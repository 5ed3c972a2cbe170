"""The program without screens."""
