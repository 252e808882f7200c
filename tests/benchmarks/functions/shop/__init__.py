"""A function of several modules."""
