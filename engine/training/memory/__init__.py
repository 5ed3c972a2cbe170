"""The memory that a training needs, and what is done where it is not enough."""
