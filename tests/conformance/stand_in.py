"""A handler whose behaviour each example of a test chooses, on both sides of a comparison."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

__all__ = ["JSON_VALUES", "LIMITED", "act", "do", "environment"]

# The module with the current action.  It is not below the task root, so that a cold start does not
# import it afresh.
act: Callable[[Any, Any], Any] = lambda event, context: event  # noqa: E731

SOURCE = f"""\
import sys
def handler(event, context):
    return sys.modules[{__name__!r}].act(event, context)
"""

LIMITED = settings(
    max_examples=100,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["\u2028", "\x7f", "</script>", "\\", '"', "\x00", "é", "😀"]),
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=8), children, max_size=4)
    ),
    max_leaves=15,
)


def environment(task_root: Path, **settings: Any) -> ExecutionEnvironment:
    """Return an environment that runs `act`."""
    (task_root / "stand_in_app.py").write_text(SOURCE, encoding="utf-8")
    return ExecutionEnvironment(
        FunctionConfig("stand_in_app.handler", code_dir=task_root, **settings)
    )


def do(action: Callable[[Any, Any], Any]) -> None:
    """Let the handler be *action* from now on."""
    sys.modules[__name__].act = action  # type: ignore[attr-defined]
