"""Let tox test on each Python that this machine has, and on no other.

tox looks for ``python3.12`` on ``PATH``.  pyenv puts a shim there, which refuses unless that
version was activated (``pyenv global``, ``.python-version``): so the folders behind the shims go to
the end of ``PATH``.  uv finds its own, and would download a missing one, which is to be skipped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tox.plugin import impl

if TYPE_CHECKING:
    from tox.config.cli.parser import ToxParser


@impl
def tox_add_option(parser: ToxParser) -> None:
    """Run before any interpreter is looked for; there is no option to add."""
    root = Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()
    folders = sorted(str(folder) for folder in root.glob("versions/3.*/bin"))
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), *folders])
    os.environ.setdefault("UV_PYTHON_DOWNLOADS", "never")
