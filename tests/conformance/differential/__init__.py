"""Generated programs, run by the real runtime in a process of its own, and by an environment here.

A program is a function: a module, some files, and the requests of one to four turns.  A seed
decides which building blocks (`blocks/`) it is made of.  Both sides note what each phase posted,
wrote and ended with.  The notes have to be equal, or `declared.py` has to declare the difference.

`test_differential.py` beside this folder runs 200 programs, ``tox -e witness`` 10,000 on each
Python.
"""
