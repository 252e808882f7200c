"""The report as Markdown: tables that GitHub shows, in which no text acts."""

from __future__ import annotations

import re

from pytest_lambda_lifecycle.lifecycle.events import Leftover
from pytest_lambda_lifecycle.report.markdown import markdown
from pytest_lambda_lifecycle.report.run import Run

from .runs import read, run_of

HOSTILE = "<b>|`x`|[a](https://evil.example) @someone\n# no heading **bold**"


def test_the_sections_of_a_run(environment):
    env = environment("def handler(event, context): return 1")
    env.invoke({})
    leak = [Leftover(5, "thread", "poller", "app.py:3")] * 3
    text = markdown(run_of(read(env.timeline), read(leak), outcome="failed", error="a.py:1\nno"))
    assert "2 tests, 2 of them failed: 1 environment, 1 cold start, 0 warm invokes" in text
    assert "### Slowest inits" in text
    assert "| app.handler | the environment is new | test\\_app.py::test\\_it\\[0\\] |" in text
    assert re.search(r"thread poller, started at app\.py:3 \| 3 \|", text)
    assert "| failed | test\\_app.py::test\\_it\\[1\\] | a.py:1 no |" in text


def test_text_is_no_markup():
    text = markdown(run_of(read([]), test_id=HOSTILE, outcome="failed", error=HOSTILE))
    rows = [line for line in text.splitlines() if "someone" in line]
    assert rows
    for row in rows:
        bare = re.sub(r"\\.", "", row)
        assert not re.search(r"[<>`\[\]@*#]|://", bare)
        assert bare.count("|") in (4, 6)  # the columns of its table
        assert "no heading" in row


def test_long_lists_end_with_the_number_of_the_rest():
    text = markdown(run_of(*[read([])] * 70))
    assert "20 more." in text
    assert len(text) < 20_000


def test_a_run_without_an_environment_says_so():
    assert "No test of this run made or used an environment (0 tests ended)." in markdown(Run("x"))
