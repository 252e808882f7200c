"""Generated programs, run by the real runtime in a process of its own, and in an environment here.

A program is a function: a module, some files, and the requests of one to four turns.  A seed decides
which building blocks (`blocks/`) it is made of.  Both sides note what each phase posted, wrote and
ended with; the notes have to be equal, or the difference has to be in the table of `declared.py`.

`test_differential.py` beside this folder runs 200 programs, ``tox -e witness`` 10,000 on each Python.
"""
