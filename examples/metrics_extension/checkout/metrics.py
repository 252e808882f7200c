"""Counters that survive the process of the function: lines of a file in `/tmp`.

The function and its extensions share `/tmp`.
"""

import json
import pathlib
import tempfile


def count(name, value):
    with pathlib.Path(tempfile.gettempdir(), "metrics").open("a") as file:
        file.write(json.dumps([name, value]) + "\n")
