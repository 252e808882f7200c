"""The object that a test holds, and how it is put together from the other folders.

Nothing here knows of pytest, and nothing here changes the process itself.
"""
