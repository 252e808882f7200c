"""Modules and the import system: which modules a cold start imports afresh, and where they go
between phases.
"""
