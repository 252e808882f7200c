"""The lifecycle as data: rules and limits, outcomes, events, the timeline, and views and texts made
from them.

Nothing here has side effects: no clock is read, no process state is touched.
"""
