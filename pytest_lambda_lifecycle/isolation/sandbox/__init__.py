"""Files for the ``PYTHONPATH`` of extension processes, whose Python runs `sitecustomize` first.

They import the standard library alone.
"""
