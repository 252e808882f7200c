"""Time: the real clock, the virtual clock, and the stand-ins for functions that read or wait for
time.

The only folder that imports freezegun.  Nothing here depends on phases, or on the way in which the
handler is run.
"""
