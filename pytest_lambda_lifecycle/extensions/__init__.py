"""The extensions of an environment."""
