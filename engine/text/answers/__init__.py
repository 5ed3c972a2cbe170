"""Answers of question answering: as data sets write them, and their positions."""
