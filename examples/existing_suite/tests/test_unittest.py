"""Snippets of `docs/how-to/unittest.md`: environments in classes of unittest."""

import unittest
from pathlib import Path

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig


class TestCatalogue(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def make_environment(self, lambda_lifecycle):
        self.env = lambda_lifecycle("catalogue.app.handler")

    def test_the_price_is_converted(self):
        answer = self.env.invoke({"amount": 8, "currency": "USD"})
        self.assertEqual(answer.payload["price"], 10.0)
        self.assertTrue(answer.cold_start)


class TestWithoutPytest(unittest.TestCase):
    def setUp(self):
        config = FunctionConfig("catalogue.app.handler", code_dir=Path(__file__).parent.parent)
        self.env = ExecutionEnvironment(config)
        self.addCleanup(self.env.close)

    def test_the_price_is_converted(self):
        answer = self.env.invoke({"amount": 8, "currency": "USD"})
        self.assertEqual(answer.payload["price"], 10.0)
