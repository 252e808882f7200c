"""The object that a test holds, and how it is put together from the other folders.

Nothing here imports pytest.  Nothing here changes the process itself, except for credentials that
are renewed in `os.environ`.
"""
