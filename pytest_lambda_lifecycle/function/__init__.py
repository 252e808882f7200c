"""The declared function: settings and their sources, task root, layers, environment variables,
extension objects.

Nothing here runs function code.
"""
