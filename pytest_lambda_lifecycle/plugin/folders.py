"""Folders of a pytest run: the temporary folder of its tests, and those of the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_lambda_lifecycle.observation.file_guard import Folders

__all__ = ["folders_of"]


def folders_of(config: pytest.Config) -> Folders:
    """Return the folders of a run.

    The temporary folder is looked up, and not asked for: that would make it, at a moment at which
    `tempfile` uses the folder of an environment.
    """
    factory = getattr(config, "_tmp_path_factory", None)
    temporary = getattr(factory, "_basetemp", None)
    return Folders(
        of_test=() if temporary is None else (Path(temporary),),
        project=(config.rootpath, config.invocation_params.dir),
    )
