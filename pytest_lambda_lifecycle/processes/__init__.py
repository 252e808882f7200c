"""Real processes of ours: start, read, freeze, kill, and the guard that ends them with the test
session.

The only folder that starts a process; it knows nothing of extensions, runtimes or phases.
"""
