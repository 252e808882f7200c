"""The page of a report: in one file, and nothing in its data acts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from pytest_lambda_lifecycle.lifecycle.events import FunctionLog, InvokeStart
from pytest_lambda_lifecycle.report.page.writer import page
from pytest_lambda_lifecycle.report.run import Run, texts_of

from .runs import read, run_of

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>@DATA@ \u2028 \ud800"


class Reader(HTMLParser):
    """Collects the elements of a page with their attributes, and the text of each script."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {"script": [], "style": []}
        self.open = ""

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.open = tag
        if tag in self.texts:
            self.texts[tag].append("")

    def handle_data(self, data):
        if self.open in self.texts:
            self.texts[self.open][-1] += data

    def handle_endtag(self, tag):
        self.open = ""


def parsed(text):
    reader = Reader()
    reader.feed(text)
    reader.close()
    return reader, json.loads(reader.texts["script"][0])


@pytest.fixture
def hostile():
    events = [InvokeStart(0, HOSTILE, "1", 0, "", True), FunctionLog(1, "stdout", HOSTILE)]
    environment = read(events, function=HOSTILE, made_at=HOSTILE)
    return run_of(environment, test_id=HOSTILE, outcome="failed", error=HOSTILE)


def test_hostile_text_stays_data(hostile):
    text = page(hostile)
    reader, data = parsed(text)
    assert [tag for tag, _ in reader.elements].count("script") == 2
    assert not {"img", "a", "link", "iframe", "base"} & {tag for tag, _ in reader.elements}
    assert "<" not in reader.texts["script"][0]
    (test,) = data["tests"]
    assert test["id"] == HOSTILE
    assert "alert(1)" in test["environments"][0]["phases"][0]["happenings"][1]["text"]


def test_nothing_leads_out_of_the_page(hostile):
    text = page(hostile)
    reader, _ = parsed(text)
    attributes = {name for _, found in reader.elements for name in found}
    assert not attributes & {"src", "href", "srcset", "action", "style"}
    assert not [name for name in attributes if name.startswith("on")]
    own = "".join([*reader.texts["style"], reader.texts["script"][1]])
    namespace = "http://www.w3.org/2000/svg"
    assert not re.search(r"https?://|url\(|@import", own.replace(namespace, ""))
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", own)


def test_the_policy_allows_this_script_and_this_style_alone(hostile):
    reader, _ = parsed(page(hostile))
    (policy,) = [
        found["content"]
        for tag, found in reader.elements
        if tag == "meta" and found.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    for kind, text in (("script", reader.texts["script"][1]), ("style", reader.texts["style"][0])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_a_run_without_an_environment_says_so():
    run = Run("shop")
    run.phase_ended("test_it", "", "passed", 0.0, 0.1, "")
    run.test_ended("test_it", "", None)
    text = page(run)
    assert "No test of this run made or used an environment (1 test ended)." in text
    assert parsed(text)[1]["tests"] == []


def test_too_large_a_run_loses_what_happened_in_its_phases_and_keeps_its_tests():
    events = [InvokeStart(0, "r", "1", 0, "", True)]
    events += [FunctionLog(1, "stdout", "x" * 900 + str(number)) for number in range(30)]
    run = run_of(*[read(events)] * 20)
    tests = run.tests()
    tests[3].outcome = "failed"
    whole = texts_of(tests)
    half = texts_of(tests, most_bytes=sum(map(len, whole)) // 2)
    assert sum(map(len, half)) <= sum(map(len, whole)) // 2
    assert [json.loads(text)["id"] for text in half] == [test.id for test in tests]
    assert half[3] == whole[3]  # failed tests come last
    lost = [one for one in map(json.loads, half) if one["environments"][0]["left_out"]]
    assert 9 <= len(lost) <= 12
    assert sum(map(len, texts_of(tests, most_bytes=1))) < 10_000
