"""A snippet of `docs/how-to/pytest-asyncio.md`."""

import asyncio

import pytest


@pytest.mark.asyncio
async def test_a_handler_with_a_loop_of_its_own(lambda_lifecycle):
    env = lambda_lifecycle("prices.fixed.handler")
    await asyncio.sleep(0)  # the loop of the test runs
    assert env.invoke({"sku": "tea"}).payload == 3  # the handler runs its own loop
    assert env.invoke({"sku": "milk"}).payload == 1
