import pytest


@pytest.fixture
def payments(lambda_lifecycle):
    return lambda_lifecycle("payments.app.handler")


def logged_cold_start(invocation):
    [record] = [record for record in invocation.records if record.get("message") == "taken"]
    return record["cold_start"]


def metric_names(invocation):
    return sorted(metric.name for metric in invocation.metrics)


def test_the_logger_marks_the_first_request_alone(payments):
    assert logged_cold_start(payments.invoke({"amount": 1})) is True
    assert logged_cold_start(payments.invoke({"amount": 2})) is False
    assert logged_cold_start(payments.invoke({"amount": 3})) is False


def test_the_cold_start_metric_is_sent_once(payments):
    assert metric_names(payments.invoke({"amount": 1})) == ["ColdStart", "Taken"]
    assert metric_names(payments.invoke({"amount": 2})) == ["Taken"]


def test_a_second_environment_has_a_cold_start_of_its_own(lambda_lifecycle):
    first = lambda_lifecycle("payments.app.handler")
    second = lambda_lifecycle("payments.app.handler")

    assert metric_names(first.invoke({"amount": 1})) == ["ColdStart", "Taken"]
    assert metric_names(second.invoke({"amount": 1})) == ["ColdStart", "Taken"]
    assert logged_cold_start(first.invoke({"amount": 2})) is False
    assert logged_cold_start(second.invoke({"amount": 2})) is False


def test_the_request_id_is_in_every_record(payments):
    invocation = payments.invoke({"amount": 1})
    [record] = [record for record in invocation.records if record.get("message") == "taken"]
    assert record["function_request_id"] == invocation.request_id
    assert record["function_name"] == "function"
