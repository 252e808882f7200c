"""Headers that Lambda never sends are refused before anything runs."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig, LifecycleError
from pytest_lambda_lifecycle.runtimes.headers import check_headers

SENT = {
    "Lambda-Runtime-Aws-Request-Id": "r-1",
    "Content-Type": "application/json",
    "Lambda-Runtime-Deadline-Ms": "1767225600000",
}
REQUEST_ID, CONTENT_TYPE, DEADLINE = SENT


@pytest.fixture
def env(tmp_path):
    (tmp_path / "headers_app.py").write_text("def handler(event, context): return 'ran'")
    with ExecutionEnvironment(FunctionConfig("headers_app.handler", code_dir=tmp_path)) as env:
        yield env


@pytest.mark.parametrize(
    ("headers", "first_line"),
    [
        ({CONTENT_TYPE: None}, f"without the header {CONTENT_TYPE}"),
        ({"content-type": ""}, f"with the header {CONTENT_TYPE}=''"),
        ({CONTENT_TYPE: " \t"}, f"with the header {CONTENT_TYPE}=' \\t'"),
        ({REQUEST_ID: None}, f"without the header {REQUEST_ID}"),
        ({REQUEST_ID: ""}, f"with the header {REQUEST_ID}=''"),
        *(
            ({DEADLINE: text}, f"with the header {DEADLINE}={text!r}")
            for text in ("", "0", "00", "-5", "+5", "1.5", "soon", "12abc", " 12", "²", "9" * 19)
        ),
        ({"Lambda-Runtime-Trace-Id": "a\0b"}, r"with the header Lambda-Runtime-Trace-Id='a\x00b'"),
        ({"X": "a\nb"}, r"with the header X='a\nb'"),
        ({"X": "a\r\n b"}, r"with the header X='a\r\n b'"),
        ({"X": "\udcff"}, r"with the header X='\udcff'"),
        ({"": "x"}, "with the header ''"),
        ({"A:": "x"}, "with the header 'A:'"),
        ({"A\r\nB": None}, r"with the header 'A\r\nB'"),
    ],
)
def test_a_header_that_lambda_never_sends(env, headers, first_line):
    with pytest.raises(LifecycleError) as caught:
        env.invoke(headers=headers)
    assert caught.value.code == "LLC503"
    assert str(caught.value).startswith(f"cannot invoke {first_line}: ")
    assert env.init_count == 0
    assert env.invoke().payload == "ran"


def test_an_empty_content_type(env):
    with pytest.raises(LifecycleError, match=f"the header {CONTENT_TYPE}='': .* sends it empty"):
        env.invoke(content_type="")
    assert env.init_count == 0


@pytest.mark.parametrize(
    "headers",
    [
        {DEADLINE: None, "Lambda-Runtime-Invoked-Function-Arn": None},
        {DEADLINE: "1000", "Lambda-Runtime-Client-Context": "", "Lambda-Runtime-Trace-Id": ""},
        {"Lambda-Runtime-Aws-Tenant-Id": "日本", "X-More": "caf\xe9\t!"},
        {CONTENT_TYPE: "text/plain; charset=utf-8"},
    ],
)
def test_headers_that_may_come(headers):
    check_headers({**SENT, **headers})
