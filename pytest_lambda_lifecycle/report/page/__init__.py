"""The page of a report, in one file: without a link, a source or a request that leads out of it.

Function code can put anything into its logs, names and errors.  So they are data in JSON, whose
``<`` is escaped, and the script of the page shows them as text.
"""
