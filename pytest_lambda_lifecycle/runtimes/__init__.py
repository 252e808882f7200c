"""Participants that play the runtime of an execution environment."""
