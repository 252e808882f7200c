"""``assert_isolates``: one caller's data in the invoke of another one."""

from __future__ import annotations

import pytest

from pytest_lambda_lifecycle import FunctionError, InvalidTransition, LifecycleError

A = {"tenant": "tenant-a", "token": "s3cr3t-a", "n": 123456, "kind": "order"}
B = {"tenant": "tenant-b", "token": "s3cr3t-b", "n": 654321, "kind": "order"}
HEAD = "import contextvars, logging, os, pathlib, tempfile\n"


def found(env, *events, **options) -> list[str]:
    try:
        env.assert_isolates(*(events or (A, B)), **options)
    except AssertionError as error:
        return [line.strip() for line in str(error).splitlines() if line.startswith("  ")]
    return []


@pytest.mark.parametrize(
    ("before", "body", "expected"),
    [
        ("last = {}", "last.setdefault('t', event['tenant'])\n    return last['t']",
         "'tenant-a' of event 1 (event['tenant']) is in the response of the invoke with event 2"),
        ("seen = []", "seen.append(event['n'])\n    return seen",
         "123456 of event 1 (event['n']) is in the response of the invoke with event 2"),
        ("seen = []", "seen.append(event['token'])\n    print(seen)",
         "*** of event 1 (event['token']) is in the log of the invoke with event 2"),
        ("seen = []", "seen.append(event['tenant'])\n"
         "    pathlib.Path(tempfile.gettempdir(), 'f').write_text(str(seen))",
         "'tenant-a' of event 1 (event['tenant']) is in the file /tmp/f of the invoke "
         "with event 2"),
        ("CACHE = {}", "CACHE[event['kind'], event['tenant']] = 1",
         "'tenant-b' of event 2 (event['tenant']) is kept in app.CACHE[('order', 'tenant-b')] "
         "after the invoke with event 1, at app.py:4"),
        ("class Client: pass\nclient = Client()",
         "client.token = client.__dict__.get('token', '') + event['token']",
         "*** of event 2 (event['token']) is kept in app.client.token after the invoke with "
         "event 1, at app.py:5"),
        ("import requests, responses\nsession = requests.Session()",
         "with responses.RequestsMock() as mock:\n        mock.get('https://x.example/')\n"
         "        session.headers.setdefault('X', event['token'])\n"
         "        session.get('https://x.example/')",
         "*** of event 1 (event['token']) is in the HTTP call GET https://x.example/ at app.py:8 "
         "of the invoke with event 2"),
        ("import boto3\nfrom moto import mock_aws\nlast = []",
         "last.append(event['token'])\n    with mock_aws():\n"
         "        sqs = boto3.client('sqs'); url = sqs.create_queue(QueueName='q')['QueueUrl']\n"
         "        sqs.send_message(QueueUrl=url, MessageBody=last[0])",
         "*** of event 1 (event['token']) is in the AWS call sqs.SendMessage at app.py:9 of the "),
        ("import requests\nsession = requests.Session()",
         "session.cookies.set(event['tenant'], 'x')",
         "'tenant-b' of event 2 (event['tenant']) is kept in app.session.cookies._cookies"),
    ],
)  # fmt: skip
def test_a_value_is_found_with_its_place(environment, before, body, expected):
    text = f"{HEAD}{before}\ndef handler(event, context):\n    {body}"
    lines = found(environment(text, timeout=60))
    assert any(line.startswith(expected) for line in lines), lines


@pytest.mark.parametrize(
    ("before", "body"),
    [
        ("", "return event"),
        ("last = None", "global last; last = event; return last['tenant']"),
        ("KNOWN = ['tenant-a', 'tenant-b']", "return KNOWN"),
        ("hits = {}", "hits[event['kind']] = hits.get(event['kind'], 0) + 1; return hits"),
    ],
)
def test_a_function_that_isolates_passes(environment, before, body):
    env = environment(f"{HEAD}{before}\ndef handler(event, context):\n    {body}")
    assert found(env) == []


def test_declared_and_ignored_state_is_no_finding(environment):
    text = "C = {}\ndef handler(event, context): C[event['tenant']] = 1"
    assert found(environment(text), ignore=["app.C"]) == []
    assert found(environment(text, allowed_state=["app.C"])) == []
    assert len(found(environment(text))) == 1


def test_each_of_several_events_is_compared(environment):
    env = environment("L = []\ndef handler(event, context): L.append(event); return L[0]")
    events = [{"id": f"id-{n}-x"} for n in range(3)]
    assert found(env, *events)[0] == (
        "'id-0-x' of event 1 (event['id']) is in the response of the invoke with event 2, "
        "kept in app.L[0]['id'] at app.py:2"
    )
    assert len(env.invocations) == 5


@pytest.mark.parametrize(
    ("events", "missing"),
    [
        (({"t": "a"}, {"t": "b"}), 1),
        ((A, A), 1),
        ((A, {}), 2),
        ((A, {"x": "tenant-a and more"}), 1),
        (({"n": 1234}, {"n": 4321}), 1),
        ((b"a", "b"), 1),
        ((A, None), 2),
    ],
)
def test_events_without_values_of_their_own_are_an_error(environment, events, missing):
    env = environment("def handler(event, context): pass")
    if events[1] == {"x": "tenant-a and more"}:
        events = ({"tenant": "tenant-a"}, events[1])
    with pytest.raises(LifecycleError, match=f"cannot tell event {missing} from the others"):
        env.assert_isolates(*events)
    assert env.phases == []


def test_a_failed_invoke_is_raised(environment):
    env = environment("def handler(event, context): raise ValueError(event)")
    with pytest.raises(FunctionError):
        env.assert_isolates(A, B)


def test_a_closed_environment_cannot_compare(environment):
    env = environment("def handler(event, context): pass")
    env.close()
    with pytest.raises(InvalidTransition, match="cannot compare events"):
        env.assert_isolates(A, B)


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("old = last.get('t'); last['t'] = event['tenant']\n    return old",
         "app.last['t'] at app.py:4"),
        ("path = pathlib.Path(tempfile.gettempdir(), 'f')\n"
         "    old = path.read_text() if path.exists() else ''\n"
         "    path.write_text(event['tenant'])\n    return old",
         "/tmp/f"),
    ],
)  # fmt: skip
def test_the_path_is_that_before_the_invoke_which_replaces_the_value(environment, body, where):
    env = environment(f"{HEAD}last = {{}}\ndef handler(event, context):\n    {body}")
    assert found(env)[0] == (
        "'tenant-a' of event 1 (event['tenant']) is in the response of the invoke with event 2, "
        f"kept in {where}"
    )
