"""Replay a recorded case through the public API, and bring both sides into the same form."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_lambda_lifecycle import (
    ExecutionEnvironment,
    FunctionConfig,
    FunctionLog,
    Init,
    InitError,
    Invocation,
)
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, Outcome, Raised, Returned
from pytest_lambda_lifecycle.lifecycle.phases import Restore

from .frames import without_frames

__all__ = ["Conduct", "Post", "load_cases", "recorded", "replay"]

DATA = Path(__file__).parent / "data"
META: Mapping[str, Any] = json.loads((DATA / "meta.json").read_text(encoding="utf-8"))

# The recorded process had no AWS_EXECUTION_ENV: not one of the runtimes that write letters
# unescaped.
UNNAMED_RUNTIME = "python3.11"

Case = Mapping[str, Any]


@dataclass
class Post:
    """One POST of the runtime."""

    to: str
    """``response``, ``error``, ``init/error`` or ``restore/error``."""
    body: str
    content_type: str | None
    """The content type of responses and invoke errors; other posts had none."""
    error_type_header: str | None
    """The error type of init and restore errors; other posts had none."""


@dataclass
class Conduct:
    """The behaviour of a runtime with a case, without facts that depend on the machine."""

    posts: list[Post]
    exit_code: int | None
    """None if the process was waiting for another event."""
    stdout: str


def load_cases() -> dict[str, Case]:
    """Return the cases of the running Python by their ids: none where none were recorded."""
    path = DATA / f"cases-py{sys.version_info.major}.{sys.version_info.minor}.json"
    cases = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    return {case["id"]: case for case in cases}


# -- the recorded side


def recorded(case: Case) -> Conduct:
    """Return the behaviour of the real runtime."""
    return Conduct(
        [_recorded_post(post) for post in case["expected"]],
        case["exit_code"] if case["ended"] == "exited" else None,
        _loosely(case["stdout"]),
    )


def _recorded_post(post: Mapping[str, Any]) -> Post:
    to = re.sub(r"^/2018-06-01/runtime/(invocation/[^/]*/)?", "", post["posted_to"])
    return Post(
        to, _loosely(_recorded_body(post)), post.get("content_type"), post.get("error_type_header")
    )


def _recorded_body(post: Mapping[str, Any]) -> str:
    if "body_b64" not in post:
        return str(post["body_text"])
    body = base64.b64decode(post["body_b64"]).decode("latin-1")
    task_root = re.search(r'(/[^"\\]*)/app\.py', body)  # the only path that was not replaced
    return body.replace(task_root[1], "{TASK_ROOT}") if task_root else body


# -- the replayed side


def replay(case: Case, task_root: Path) -> Conduct:
    """Run *case* in an environment whose code is in *task_root* (an empty folder)."""
    _write_files(case, task_root)
    # The cases were recorded in a task root that can be written.
    settings = {**_settings(case["env"]), "filesystem": "open"}
    config = FunctionConfig(case["handler_name"], code_dir=task_root, **settings)
    with ExecutionEnvironment(config) as env:
        turns = _turns(env, case)
        output = "".join(
            event.text for event in env.timeline.of(FunctionLog) if event.stream == "stdout"
        )
    posts = [
        _post(to, outcome, task_root) for to, outcome in turns if not isinstance(outcome, Exited)
    ]
    return Conduct(
        posts, _exit_code(turns), _loosely(_without_moments(_without_root(output, task_root)))
    )


def _write_files(case: Case, task_root: Path) -> None:
    files = dict(case["files"])
    if case["handler_source"]:
        files["app.py"] = case["handler_source"]
    for name, text in files.items():
        path = task_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(text["b64"]) if isinstance(text, dict) else text.encode())


def _settings(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return settings that lead to the variables of a case."""
    others = dict(variables)
    execution_env = others.pop("AWS_EXECUTION_ENV", "")
    return {
        "function_name": META["base_env"]["AWS_LAMBDA_FUNCTION_NAME"],
        "region": others.pop("AWS_REGION", META["base_env"]["AWS_REGION"]),
        "runtime": execution_env.removeprefix("AWS_Lambda_") or UNNAMED_RUNTIME,
        "initialization_type": others.pop("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand"),
        "environment": others,
    }


def _turns(env: ExecutionEnvironment, case: Case) -> list[tuple[str, Outcome]]:
    """Run the phases of the recorded process; return the outcomes with the paths of their posts."""
    failed = _failed_before_the_first_event(env)
    if failed is not None:
        return [failed]
    turns: list[tuple[str, Outcome]] = []
    for number, event in enumerate(case["events"], start=1):
        outcome = _invoke(env, event, number).outcome
        turns.append(("response" if isinstance(outcome, Returned) else "error", outcome))
        if isinstance(outcome, Exited):
            break
    return turns


def _failed_before_the_first_event(env: ExecutionEnvironment) -> tuple[str, Outcome] | None:
    with contextlib.suppress(InitError):
        env.initialize()
        if env.config.initialization_type == "snap-start":
            env.restore()
    last = env.phases[-1]
    assert isinstance(last, (Init, Restore))
    if last.status == "success":
        return None
    return "init/error" if isinstance(last, Init) else "restore/error", last.outcome


def _invoke(env: ExecutionEnvironment, event: Mapping[str, Any], number: int) -> Invocation:
    body = (
        base64.b64decode(event["body_b64"])
        if "body_b64" in event
        else event.get("body", "{}").encode()
    )
    headers = {
        "Lambda-Runtime-Aws-Request-Id": f"req-{number:04d}",
        "Lambda-Runtime-Trace-Id": META["default_headers"]["Lambda-Runtime-Trace-Id"],
        **event.get("headers", {}),
    }
    return env.invoke(body, check=False, headers=headers)


def _post(to: str, outcome: Outcome, task_root: Path) -> Post:
    assert isinstance(outcome, (Returned, Raised))
    try:
        body = outcome.body.decode()
    except UnicodeDecodeError:
        body = outcome.body.decode("latin-1")
    return Post(
        to,
        _loosely(_without_root(body, task_root)),
        outcome.content_type
        if isinstance(outcome, Returned)
        else "application/json"
        if to == "error"
        else None,
        outcome.fault_type if isinstance(outcome, Raised) and to != "error" else None,
    )


def _exit_code(turns: list[tuple[str, Outcome]]) -> int | None:
    last = turns[-1][1]
    return last.exit_code if isinstance(last, (Raised, Exited)) else None


# -- facts that depend on the machine


def _without_root(text: str, task_root: Path) -> str:
    return text.replace(str(task_root), "{TASK_ROOT}")


def _without_moments(text: str) -> str:
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", "{TS_MS}", text)
    return re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "{TS}", text)


def _loosely(text: str) -> str:
    """Replace frames outside the task root, counts of repetitions, and names of log streams."""
    text = without_frames(text, lambda path: not path.startswith("{TASK_ROOT}"))
    text = re.sub(
        r"\[Previous line repeated \d+ more times\]", "[Previous line repeated N more times]", text
    )
    return re.sub(r"\d{4}/\d\d/\d\d/\[\$LATEST\]\w+", "{LOG_STREAM}", text)
