"""The timeline as text: calls between the begin and the end of their phase, equal ones folded."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.lifecycle.call_events import (
    AwsCall,
    AwsClient,
    Connection,
    HttpCall,
    NetworkRefusal,
)
from pytest_lambda_lifecycle.lifecycle.events import FunctionLog, InvokeStart
from pytest_lambda_lifecycle.lifecycle.timeline_table import render

PLACE = ("invoke", 0, "shop/app.py:12")


def get_item(at, where="shop/app.py:12", **end):
    return AwsCall(at, "invoke", 0, where, "dynamodb", "GetItem", **{"status": 200, **end})


def rows(*events):
    """Return the table without the column of time, and that column."""
    lines = render(events).splitlines()
    return [line[15:] for line in lines], [line[:10].strip() for line in lines]


def test_a_run_of_equal_calls_is_one_row_with_the_time_of_the_first():
    start = InvokeStart(1000, "r-1", "1", 0, "", False)
    events = [start, *(get_item(2000 + number) for number in range(37)), get_item(9000, status=400)]
    texts, times = rows(*events)
    assert texts == [
        "Invoke (warm): request r-1",
        "  dynamodb.GetItem: 200, at shop/app.py:12   x 37",
        "  dynamodb.GetItem: 400, at shop/app.py:12",
    ]
    assert times == ["0.000", "1.000", "8.000"]


@pytest.mark.parametrize(
    ("event", "text"),
    [
        (HttpCall(1, *PLACE, "GET", "https://a.example/?token=needle", status=200),
         "  GET https://a.example/?token=***: 200 (mocked), at shop/app.py:12"),
        (AwsClient(1, *PLACE, "client", "s3", "boto3.client"),
         "  made boto3.client('s3'), at shop/app.py:12"),
        (Connection(1, *PLACE, "db.internal:5432"),
         "  connected to db.internal:5432, at shop/app.py:12"),
        (Connection(1, *PLACE, "db.internal", "look up"),
         "  looked up db.internal, at shop/app.py:12"),
        (NetworkRefusal(1, *PLACE, "a.example", "look up"),
         "  network refused: look up a.example, at shop/app.py:12"),
    ],
)  # fmt: skip
def test_each_kind_of_call_is_folded(event, text):
    assert rows(event, event, event) == ([f"{text}   x 3"], ["0.000"])


def test_the_number_of_attempts_is_shown_where_the_client_has_retried():
    texts, _ = rows(get_item(1, attempts=1), get_item(2, attempts=3))
    assert texts == [
        "  dynamodb.GetItem: 200, at shop/app.py:12",
        "  dynamodb.GetItem: 200 after 3 attempts, at shop/app.py:12",
    ]


@pytest.mark.parametrize(
    "between",
    [
        FunctionLog(5, "stdout", "got it\n"),
        HttpCall(5, *PLACE, "GET", "https://a.example/", status=200),
        get_item(5, where="shop/app.py:13"),
        get_item(5, error_code="ThrottlingException"),
    ],
)
def test_any_other_row_ends_a_run(between):
    texts, _ = rows(get_item(1), get_item(2), between, get_item(6), get_item(7))
    folded = "  dynamodb.GetItem: 200, at shop/app.py:12   x 2"
    assert (texts[0], texts[2], len(texts)) == (folded, folded, 3)


def test_rows_that_are_no_calls_are_never_folded():
    assert rows(*[FunctionLog(1, "stdout", "same\n")] * 2)[0] == ["  stdout: same"] * 2


def test_nothing_is_an_empty_table():
    assert render([]) == ""


def test_print_of_a_timeline_has_folded_calls_between_start_and_end(tmp_path, capsys):
    (tmp_path / "app.py").write_text("def reach(): pass\ndef handler(event, context): reach()")
    with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path)) as env:
        env.initialize()

        def reach():
            for _ in range(3):
                env._conductor.timeline.append(get_item(env.timeline[-1].at))

        env.module.reach = reach
        env.invoke()
        print(env.timeline)
    texts = [line[15:] for line in capsys.readouterr().out.splitlines()]
    start = next(index for index, text in enumerate(texts) if text.startswith("Invoke (warm)"))
    assert texts[start + 1 : start + 3] == [
        "  dynamodb.GetItem: 200, at shop/app.py:12   x 3",
        "  runtime done: success",
    ]
