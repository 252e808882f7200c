"""The same record gives the same line here and in the real runtime, `awslambdaric`."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lambda_lifecycle import FunctionLog
from pytest_lambda_lifecycle.lifecycle.outcome import Returned

from .stand_in import JSON_VALUES, LIMITED, do, environment

bootstrap = pytest.importorskip("awslambdaric.bootstrap", reason="awslambdaric is not installed")

REQUEST_ID = "req-1"


@pytest.mark.parametrize("log_format", ["Text", "JSON"])
def test_both_formatters_write_any_record_alike(tmp_path, log_format):
    """Both formatters get the same records."""
    records: list[logging.LogRecord] = []
    plain = st.dictionaries(st.sampled_from("a b level requestId".split()), JSON_VALUES, max_size=3)

    def log(event: Any, context: object) -> None:
        logger = logging.getLogger(event["logger"])
        record = logger.makeRecord(
            logger.name, event["level"], "f.py", 1, event["message"], (), None, "f", event["extra"]
        )
        records.append(logging.makeLogRecord(vars(record)))
        logging.getLogger().handlers[0].handle(record)

    with environment(tmp_path, log_format=log_format) as env:
        env.initialize()
        do(log)

        @LIMITED
        @given(
            st.text(max_size=9) | JSON_VALUES,
            st.integers(0, 99),
            st.sampled_from(["", "a", "a.b"]),
            plain,
        )
        def check(message: object, level: int, logger: str, extra: dict[str, object]) -> None:
            first = len(env.timeline)
            event = {"message": message, "level": level, "logger": logger, "extra": extra}
            outcome = env.invoke(event, request_id=REQUEST_ID, tenant_id="blue").outcome
            assert isinstance(outcome, Returned)
            (written,) = [
                event.text for event in env.timeline[first:] if isinstance(event, FunctionLog)
            ]
            assert written == _really_formatted(records.pop(), log_format)

        check()


def _really_formatted(record: logging.LogRecord, log_format: str) -> str:
    record.aws_request_id, record.tenant_id = REQUEST_ID, "blue"
    if log_format == "JSON":
        formatter: logging.Formatter = bootstrap.JsonFormatter()
    else:
        formatter = logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
    formatter.converter = time.gmtime
    return formatter.format(record)
