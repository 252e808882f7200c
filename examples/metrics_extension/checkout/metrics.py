"""Counters that survive the process: lines of a file in `/tmp`, which the function and its
extensions share.
"""

import json
import pathlib
import tempfile


def count(name, value):
    with pathlib.Path(tempfile.gettempdir(), "metrics").open("a") as file:
        file.write(json.dumps([name, value]) + "\n")
