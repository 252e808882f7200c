"""The logic of the extension: sends the counters of the function.

The program of the extension calls `flush` for each event.
"""

import json
import pathlib
import tempfile


def take():
    """Remove all counters from the file, and return their sums by name."""
    path = pathlib.Path(tempfile.gettempdir(), "metrics")
    sums = {}
    if path.exists():
        for name, value in map(json.loads, path.read_text().splitlines()):
            sums[name] = sums.get(name, 0) + value
        path.unlink()
    return sums


def flush(send):
    """Send the counters, if there are any."""
    sums = take()
    if sums:
        send(sums)
