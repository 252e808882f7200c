"""Properties that hold for any value and any exception."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from pytest_lambda_lifecycle import ExecutionEnvironment, LifecycleError
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Raised, Returned

from .stand_in import JSON_VALUES, LIMITED, do, environment

pytestmark = [
    pytest.mark.filterwarnings("default"),
    # A reset inside an example restores the recursion limit, which Hypothesis has raised for it.
    pytest.mark.filterwarnings("ignore:The recursion limit will not be reset"),
]


@pytest.mark.parametrize(("runtime", "escapes"), [("python3.11", True), ("python3.12", False)])
def test_any_json_value_survives_both_ways_byte_for_byte(tmp_path, runtime, escapes):
    with environment(tmp_path, runtime=runtime) as env:
        do(lambda event, context: event)

        @LIMITED
        @given(JSON_VALUES)
        def check(value: object) -> None:
            invocation = env.invoke(value)
            assert invocation.raw == simplejson.dumps(value, ensure_ascii=escapes).encode()
            assert invocation.payload == value
            assert invocation.content_type == "application/json"

        check()
        assert env.init_count == 1


def test_the_handler_gets_a_copy_of_the_event(tmp_path):
    seen: list[object] = []
    with environment(tmp_path) as env:
        do(lambda event, context: seen.append(event))
        event = {"a": [1]}
        env.invoke(event)
        env.invoke(event)
    assert seen == [event, event]
    assert seen[0] is not seen[1]
    assert event not in ([one] for one in seen if one is event)


def test_any_bytes_pass_unchanged_in_and_out(tmp_path):
    with environment(tmp_path) as env:
        do(lambda event, context: event)

        @LIMITED
        @given(st.binary(max_size=50))
        def check(body: bytes) -> None:
            invocation = env.invoke(body, content_type="application/octet-stream")
            assert (invocation.raw, invocation.content_type) == (body, "application/unknown")
            assert invocation.payload == body

        check()


# -- anything a handler can return or raise


class Evil:
    """A value that fails in every method that an encoder may call."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    def _asdict(self) -> object:
        raise self.error

    __iter__ = __str__ = __repr__ = _asdict  # type: ignore[assignment]
    __len__ = __float__ = __bool__ = __hash__ = _asdict  # type: ignore[assignment]


class Odd(Exception):
    """An exception whose ``__str__`` returns any value, or raises."""

    def __str__(self) -> str:
        text = self.args[0] if self.args else ""
        if isinstance(text, BaseException):
            raise text
        return text


def _named(name: str) -> type[Exception]:
    return type(name, (Exception,), {})


NAMES = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=6
)
TEXTS = st.text(st.characters(), max_size=10)
ERRORS: st.SearchStrategy[BaseException] = st.deferred(
    lambda: (
        st.builds(ValueError, TEXTS)
        | st.builds(KeyError, TEXTS | st.integers())
        | st.builds(OSError, st.integers(0, 50), TEXTS)
        | st.builds(lambda name, text: _named(name)(text), NAMES, TEXTS)
        | st.builds(Odd, TEXTS | st.integers() | st.none() | ERRORS)
        | st.builds(
            SystemExit,
            st.none() | st.booleans() | st.integers() | TEXTS | st.floats() | st.builds(Odd),
        )
        | st.builds(KeyboardInterrupt)
        | st.builds(GeneratorExit)
        | st.builds(RecursionError, TEXTS)
        | st.builds(MemoryError)
        | st.builds(StopIteration, TEXTS)
        | st.builds(lambda name: type(name, (BaseException,), {})(), NAMES)
        | st.builds(_chained, ERRORS, ERRORS)
    )
)


def _chained(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


def _raise(error: BaseException) -> None:
    raise error


def _answers_well(env: ExecutionEnvironment, action: Callable[[Any, Any], Any]) -> None:
    """Assert that an invoke ends with a response, a valid error object, or the process."""
    do(action)
    invocation = env.invoke(check=False)
    outcome = invocation.outcome
    if isinstance(outcome, Returned):
        assert invocation.status == "success"
    elif isinstance(outcome, Raised):
        error = json.loads(outcome.body)
        assert list(error) == ["errorMessage", "errorType", "requestId", "stackTrace"]
        assert error["requestId"] == invocation.request_id
        assert isinstance(error["errorMessage"], str)
        assert isinstance(error["errorType"], str)
        assert all(isinstance(entry, str) for entry in error["stackTrace"])
        assert env.state == "ready"
    else:
        assert isinstance(outcome, Exited)
        assert outcome.exit_code == -2 or 0 <= outcome.exit_code <= 255
        assert invocation.error_type == "Runtime.ExitError"


def test_any_exception_becomes_an_error_object_or_ends_the_process(tmp_path):
    with environment(tmp_path) as env:

        @LIMITED
        @given(ERRORS)
        def check(error: BaseException) -> None:
            _answers_well(env, lambda event, context: _raise(error))

        check()


def test_any_result_becomes_a_response_or_an_error_or_ends_the_process(tmp_path):
    results = st.recursive(
        JSON_VALUES
        | st.floats()
        | st.binary()
        | TEXTS
        | st.builds(Evil, ERRORS)
        | st.just(math)
        | st.builds(object),
        lambda children: (
            st.lists(children, max_size=3) | st.dictionaries(TEXTS, children, max_size=3)
        ),
        max_leaves=5,
    )
    with environment(tmp_path) as env:

        @LIMITED
        @given(results)
        def check(result: object) -> None:
            _answers_well(env, lambda event, context: result)

        check()


def test_runaway_recursion_is_an_error_of_the_function(tmp_path):
    def forever(depth: int) -> int:
        return forever(depth + 1)

    with environment(tmp_path) as env:
        do(lambda event, context: forever(0))
        invocation = env.invoke(check=False)
        assert invocation.error_type == "RecursionError"
        assert "more times]" in json.loads(invocation.raw)["stackTrace"][-1]
        do(lambda event, context: "fine")
        assert env.invoke().payload == "fine"


def test_a_replaced_stdout_does_not_break_the_next_invoke(tmp_path):
    def close(event: object, context: object) -> None:
        sys.stdout = None  # type: ignore[assignment]

    with environment(tmp_path) as env:
        do(close)
        env.invoke()
        do(lambda event, context: _raise(ValueError("unwritable")))
        # The [ERROR] line cannot be written, so the real process ends here without a post.
        assert env.invoke(check=False).error_type == "Runtime.ExitError"
        assert env.invoke(check=False).error_type == "ValueError"
        assert env.init_count == 2


def test_an_event_that_is_not_json_is_refused(tmp_path):
    with environment(tmp_path) as env:
        with pytest.raises(LifecycleError, match=r'event\["when"\] is of type object'):
            env.invoke({"when": object()})
        assert env.init_count == 0
