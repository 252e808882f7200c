"""Later cold starts beside the bare import of the same modules, or the bare client of boto3.

The sides take turns after five rounds, as cold starts follow each other in a suite.  The least
disturbed round of each counts.
"""

from __future__ import annotations

import compileall
import importlib
import os
import sys
import textwrap
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Report

BLOCKS = 5
ROUNDS = 5
MODULES = 51
LONG_AGO = 1_600_000_000
POWERTOOLS = """
    from aws_lambda_powertools import Logger, Metrics, Tracer
    from aws_lambda_powertools.event_handler import APIGatewayRestResolver
    from aws_lambda_powertools.utilities.batch import BatchProcessor
    from aws_lambda_powertools.utilities.data_classes import SQSEvent
    from aws_lambda_powertools.utilities.idempotency import IdempotencyConfig
    from aws_lambda_powertools.utilities.parameters import SSMProvider
"""
TRIVIAL = "def handler(event, context): return 1"


def best_of(ours: Callable[[], object], bare: Callable[[], object], forget: Any) -> Any:
    """Return the best durations of both in seconds."""
    found: dict[Any, list[float]] = {ours: [], bare: []}
    for _ in range(BLOCKS):
        for call, durations in found.items():
            for _ in range(ROUNDS):
                forget()
                before = time.perf_counter()
                call()
                durations.append(time.perf_counter() - before)
    return [min(durations[2:]) for durations in found.values()]


@pytest.fixture
def compare(report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a function, and add the line on its cold starts to the report."""
    monkeypatch.syspath_prepend(tmp_path)

    def compare(what: str, source: str, target: str, bare: Any = None, than: str = "") -> None:
        (tmp_path / "kept_app.py").write_text(f"{textwrap.dedent(source)}\n{TRIVIAL}\n")
        if not sys.dont_write_bytecode:
            compileall.compile_dir(str(tmp_path), quiet=1)
        for folder in (tmp_path, tmp_path / "kept_package"):
            if folder.exists():
                os.utime(folder, (LONG_AGO, LONG_AGO))
        config = FunctionConfig("kept_app.handler", code_dir=tmp_path)

        def start() -> None:
            with ExecutionEnvironment(config) as env:
                env.initialize()

        def forget() -> None:
            for name in list(sys.modules):
                if name.partition(".")[0] in {"kept_app", "kept_package", "aws_lambda_powertools"}:
                    del sys.modules[name]

        bare = bare or (lambda: importlib.import_module("kept_app"))
        ours, plain = best_of(start, bare, forget)
        forget()
        report.text(
            f"later cold start and close: {what}",
            f"{1000 * ours:.2f} ms",
            f"{than or 'bare import'}: {1000 * plain:.2f} ms",
            f"{ours / plain:.2f} x",
            target,
        )

    return compare


def test_powertools(compare: Any) -> None:
    pytest.importorskip("aws_lambda_powertools")
    compare("Powertools", POWERTOOLS, "<= 0.60 x")


@pytest.mark.parametrize("bytecode", [True, False])
def test_modules_of_the_function(
    compare: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bytecode: bool,
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", not bytecode)
    package = tmp_path / "kept_package"
    package.mkdir()
    (package / "__init__.py").touch()
    for module in range(MODULES):
        functions = [
            f"def f{index}(a, b={index}):\n    '''Say {index}.'''\n"
            f"    found = [a + one for one in range(b)]\n    return {{'f{index}': found}}\n"
            for index in range(40)
        ]
        (package / f"m{module}.py").write_text("\n".join(functions))
    imports = "\n".join(f"import kept_package.m{module}" for module in range(MODULES))
    what = "bytecode cached" if bytecode else "PYTHONDONTWRITEBYTECODE"
    target = "<= 0.60 x" if bytecode else "<= 0.05 x"
    compare(f"52 modules of 200 lines, {what}", imports, target)


@pytest.mark.parametrize("service", ["sqs", "s3", "dynamodb"])
def test_client_of_boto3(compare: Any, monkeypatch: pytest.MonkeyPatch, service: str) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")

    def bare() -> Any:
        return boto3.Session().client(service, region_name="eu-west-1")

    source = f"import boto3\nclient = boto3.client({service!r}, region_name='eu-west-1')"
    compare(f"a client of {service}", source, "<= 0.20 x", bare, "boto3.Session().client")


def test_trivial_function(compare: Any) -> None:
    compare("a trivial function", "", "<= 0.4 ms more")
