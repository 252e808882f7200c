"""The processes of extensions: start, output, freeze and kill, and a guard in case pytest dies.

Only this folder starts a process.  States, APIs and phases of the environment live elsewhere: these
modules report through callbacks.
"""
