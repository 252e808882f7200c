"""One file for each kind of process state, named after it.  No part imports another.

To add a kind of state, write a part (see `isolation/part.py`) and add it to the list in
`environment/assembly.py`.
"""
