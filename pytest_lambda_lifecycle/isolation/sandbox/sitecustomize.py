"""Runs at the start of each Python of an extension process; it resolves the names of the sandbox.

Then it makes room for another ``sitecustomize`` of the machine (a distribution's, a debugger's),
which runs as if this one were not there.  Python 3.7 or later, standard library alone.
"""

from __future__ import annotations

import importlib
import os
import sys

if __name__ == "sitecustomize":
    importlib.import_module("lambda_sandbox_names").install()
    _here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder for folder in sys.path if os.path.abspath(folder) != _here]
    del sys.modules["sitecustomize"]
    # If there is no other, this raises ImportError, as `site` expects where there is none.
    importlib.import_module("sitecustomize")
