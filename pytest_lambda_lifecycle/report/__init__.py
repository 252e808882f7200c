"""The report of a whole run: what its environments did, as data, and the files made from it.

Only the options ``report`` and ``trace`` import it.  Data are plain values that JSON has, without
secrets and of limited size; no writer looks at an environment.
"""
