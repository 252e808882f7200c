"""The processes that this package starts: start, read, freeze, kill, and the guard that ends them.

Only this folder starts a process.  States, APIs and phases of the environment live elsewhere: these
modules report through callbacks.
"""
