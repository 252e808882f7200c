"""The observations that a test makes of function code, by phase: spies, patches, reuse, leftovers.

An observation writes events to the timeline; it never changes the course of a phase.
"""
