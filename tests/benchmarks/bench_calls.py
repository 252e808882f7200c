"""A recorded call of function code beside the same call of plain code, both mocked, in turns."""

from __future__ import annotations

import sys
from statistics import median
from typing import TYPE_CHECKING

import boto3
import pytest
import responses
from moto import mock_aws

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LambdaHttp

from .conftest import FUNCTIONS, Report, Timing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

ROUNDS = 40


@pytest.fixture
def plain() -> Iterator[ModuleType]:
    """The same module outside an environment."""
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        patch.syspath_prepend(FUNCTIONS)
        import calling

        boto3.client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        ).create_table(
            TableName="stock",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield calling
        del sys.modules["calling"]


def _alternate(ours: Callable[[], float], bare: Callable[[], float]) -> tuple[Timing, Timing]:
    pairs = [(ours(), bare()) for _ in range(ROUNDS)]
    left, right = zip(*pairs, strict=True)
    ratio = median(one / other for one, other in pairs)
    return Timing(ratio * median(right), min(left)), Timing(median(right), min(right))


def test_a_request_under_lambda_http(plain: ModuleType, report: Report) -> None:
    event = {"what": "http", "times": 50}

    def bare() -> float:
        with responses.RequestsMock() as mock:
            mock.get("https://config.example/v1", json={"v": 1})
            return plain.handler(event, None)

    with LambdaHttp() as http:
        http.get("https://config.example/v1", json={"v": 1})
        with ExecutionEnvironment(FunctionConfig("calling.handler", code_dir=FUNCTIONS)) as env:
            ours, other = _alternate(lambda: env.invoke(event).payload, bare)
            assert len(env.http_calls) == ROUNDS * 51
    report.ratio(
        "a request under lambda_http", ours, bare=other, than="RequestsMock", budget="<= 1.3 x"
    )


def test_an_operation_under_moto(plain: ModuleType, report: Report) -> None:
    event = {"what": "aws", "times": 20}
    with ExecutionEnvironment(FunctionConfig("calling.handler", code_dir=FUNCTIONS)) as env:
        ours, other = _alternate(
            lambda: env.invoke(event).payload, lambda: plain.handler(event, None)
        )
        assert len(env.aws_calls) == ROUNDS * 21
    report.ratio("an operation under moto", ours, bare=other, than="boto3", budget="<= 1.05 x")
