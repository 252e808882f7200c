"""Every recorded case of the real runtime, replayed through the public API."""

from __future__ import annotations

import gc
import os
import sys
import threading
from importlib.util import find_spec

import pytest
import simplejson

from .replay import Conduct, load_cases, recorded, replay

CASES = load_cases()

CANNOT_HOLD = {
    "resp_post_413": "the Runtime API refuses the response; here posts do not fail",
    "err_post_500": "the Runtime API fails on the error post; here posts do not fail",
    "snap_restore_next_500": "the Runtime API fails on restore/next; here there is no such call",
    "proc_facts": "asks for argv, __main__ and stdin, which are pytest's",
    "proc_env_seen": "lists the variables of a bare runtime client; Lambda, and so the "
    "environment, sets more of them",
    "no_runtime_api_env": "starts without AWS_LAMBDA_RUNTIME_API, which Lambda always sets: "
    "a reserved variable",
    "max_concurrency_empty": "sets AWS_LAMBDA_MAX_CONCURRENCY to nothing: a reserved variable",
    "ctx_trace_env_at_init": "sets _X_AMZN_TRACE_ID ahead of init: a reserved variable",
    "ctx_deadline_zero_abort": "sends a deadline of 0, which Lambda never does: a LifecycleError",
    "load_stdlib_shadow": "its json.py breaks the start of the real runtime; here the standard "
    "json is loaded already",
}
"""Cases that cannot hold in this process, with their reasons."""

SIMPLEJSON_4_WORDS = {"decode_malformed", "ret_decimal_key"}
"""Cases with error texts of simplejson, which differ before its version 4."""

PART_OF_LAMBDA = ("awslambdaric", "snapshot_restore_py")
"""Modules that every Python function on Lambda can import; the test environment may lack them."""

ONE_THREAD = {"proc_facts_py312_env"}
"""Cases that count the threads of the process; under pytest-xdist there are more."""

TRUNCATED = "...TRUNCATED"

pytestmark = [
    pytest.mark.skipif(
        os.name != "posix", reason="recorded on Linux: paths, signals and line ends are POSIX"
    ),
    # Function code of the cases warns on purpose; Lambda shows warnings and raises nothing.
    pytest.mark.filterwarnings("default"),
    pytest.mark.filterwarnings("ignore:careful:UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture(params=CASES)
def case(request):
    """A recorded case."""
    case = CASES[request.param]
    if case["id"] in SIMPLEJSON_4_WORDS and int(simplejson.__version__.partition(".")[0]) < 4:
        pytest.skip(f"simplejson {simplejson.__version__} has other words than the recorded one")
    for library in PART_OF_LAMBDA:
        if library in case["handler_source"] and find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
    if case["id"] in ONE_THREAD and threading.active_count() > 1:
        pytest.skip("this process has other threads")
    if case["id"] in CANNOT_HOLD:
        request.applymarker(pytest.mark.xfail(reason=CANNOT_HOLD[case["id"]], strict=True))
    return case


def test_the_environment_acts_as_recorded(case, tmp_path):
    expected = recorded(case)
    actual = replay(case, tmp_path)
    _cut(actual, expected)
    assert actual == expected
    if "async def" in case["handler_source"]:
        gc.collect()  # Python warns of the coroutine here, not in a later test


def _cut(actual: Conduct, expected: Conduct) -> None:
    """Cut texts where only their beginning was recorded."""
    for here, there in zip(actual.posts, expected.posts, strict=False):
        if there.body.endswith(TRUNCATED):
            here.body = here.body[: len(there.body) - len(TRUNCATED)] + TRUNCATED
    if expected.stdout.endswith(TRUNCATED):
        actual.stdout = actual.stdout[: len(expected.stdout) - len(TRUNCATED)] + TRUNCATED


def test_the_table_of_exceptions_is_short():
    # Add a case only with a reason, and raise the number; 14 is the limit.
    assert len(CANNOT_HOLD) <= 10
    assert CANNOT_HOLD.keys() <= CASES.keys()


def test_the_number_of_cases():
    assert len(CASES) == 209


@pytest.mark.skipif(
    sys.version_info[:2] in {(3, 10), (3, 11), (3, 12), (3, 13)}, reason="recorded for this Python"
)
def test_an_unrecorded_python_has_no_cases():
    assert not CASES
