"""Structured lines of the log, and metrics in the embedded metric format."""

import json

import pytest

from pytest_lambda_lifecycle import Metric

SOURCE = """
    import json, sys
    print(json.dumps({"phase": "init"}))
    def handler(event, context):
        print("START of text")
        for line in event: print(line)
        print(json.dumps({"to": "stderr"}), file=sys.stderr)
"""


def emf(values, **directive):
    directive = {
        "Namespace": "Shop",
        "Dimensions": [["service"]],
        "Metrics": [{"Name": "Orders", "Unit": "Count"}],
        **directive,
    }
    return json.dumps({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [directive]}, **values})


def test_records_are_the_lines_that_are_json_objects(environment):
    env = environment(SOURCE)
    lines = ['{"level": "INFO", "n": 1}', "[1, 2]", "3", "{not json", '  {"indented": true}']
    invocation = env.invoke(lines)
    assert invocation.records == [
        {"level": "INFO", "n": 1},
        {"indented": True},
        {"to": "stderr"},
    ]
    assert env.init.records == [{"phase": "init"}]


def test_records_of_the_runtime_with_json_logs(environment):
    env = environment(
        "import logging\ndef handler(event, context): logging.warning('careful')",
        log_format="JSON",
    )
    (record,) = env.invoke().records
    assert (record["level"], record["message"]) == ("WARNING", "careful")


def test_a_metric_has_its_unit_and_dimensions(environment):
    env = environment(SOURCE)
    (metric,) = env.invoke([emf({"Orders": 3, "service": "shop"})]).metrics
    assert metric == Metric("Shop", "Orders", (3,), "Count", {"service": "shop"})
    assert metric.value == 3


def test_each_set_of_dimensions_and_each_value(environment):
    line = emf(
        {"Orders": [1, 2.5], "service": "shop", "stage": "test"},
        Dimensions=[["service"], ["service", "stage"]],
        Metrics=[{"Name": "Orders"}, {"Name": "Missing"}],
    )
    first, second = environment(SOURCE).invoke([line]).metrics
    assert (first.dimensions, second.dimensions) == (
        {"service": "shop"},
        {"service": "shop", "stage": "test"},
    )
    assert (first.values, first.unit) == ((1, 2.5), "None")
    with pytest.raises(AssertionError, match="Orders has 2 values"):
        _ = first.value


@pytest.mark.parametrize(
    "line",
    [
        '{"_aws": 3}',
        '{"_aws": {"CloudWatchMetrics": [3, {"Namespace": 1}]}}',
        emf({"Orders": "three"}),
        emf({"Orders": True}),
        emf({}),
        emf({"Orders": 1}, Metrics=[{"Unit": "Count"}, 3]),
    ],
)
def test_lines_that_cloudwatch_would_drop_are_no_metrics(environment, line):
    assert environment(SOURCE).invoke([line]).metrics == []


def test_metrics_of_powertools(environment):
    pytest.importorskip("aws_lambda_powertools")
    env = environment("""
        from aws_lambda_powertools import Metrics
        from aws_lambda_powertools.metrics import MetricUnit
        metrics = Metrics(namespace="Shop", service="orders")
        @metrics.log_metrics
        def handler(event, context):
            metrics.add_metric(name="Orders", unit=MetricUnit.Count, value=2)
    """)
    (metric,) = env.invoke().metrics
    assert metric == Metric("Shop", "Orders", (2.0,), "Count", {"service": "orders"})
