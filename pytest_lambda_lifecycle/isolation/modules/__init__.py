"""Modules and the import system: which modules a cold start imports again.

Between phases they lie in the environment's world.
"""
