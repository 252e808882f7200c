"""The declared function: its settings, task root, layers, environment variables and extensions.

Nothing here runs function code.
"""
