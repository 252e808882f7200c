"""Draw the pictures of the documentation: each is the timeline of an example, in virtual time.

Run ``python docs/pictures.py`` where the package of this checkout can be imported; `tox -e docs`
does.  A test compares each picture with a new one.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Final

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LambdaClock

HERE: Final = Path(__file__).resolve().parent
EXAMPLES: Final = HERE.parent / "examples"
NOON: Final = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


def token_cache() -> str:
    """Return the picture of an environment that idles for an hour between two invokes."""
    folder = EXAMPLES / "token_cache"
    config = FunctionConfig("reports.app.handler", code_dir=folder, runtime="python3.13")
    with LambdaClock(NOON), ExecutionEnvironment(config) as env:
        env.invoke({"pages": 1}, request_id="first")
        env.idle(minutes=61)
        env.invoke({"pages": 1}, request_id="second")
        env.shutdown()
        return env.timeline.svg()


PICTURES: Final = {"token_cache.svg": token_cache}

if __name__ == "__main__":
    for name, draw in PICTURES.items():
        HERE.joinpath("pictures", name).write_text(draw(), encoding="utf-8")
