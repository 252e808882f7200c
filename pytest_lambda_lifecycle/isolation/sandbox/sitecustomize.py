"""Runs at the start of every Python of an extension process: teaches it the names of the sandbox,
and steps aside.

A ``sitecustomize`` that the machine has besides (a distribution's, a debugger's) runs as if this
one were not there. Python 3.7 or later, standard library alone.
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
    importlib.import_module(
        "sitecustomize"
    )  # where there is no other, `site` takes the ImportError for that
