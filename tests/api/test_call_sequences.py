"""Any calls in any order: the responses follow the tables of states, and no call waits for ever.

The models repeat the tables from the reference; they do not import `states`.
"""

from __future__ import annotations

import json
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pytest_lambda_lifecycle import FunctionConfig
from pytest_lambda_lifecycle.api.registry import Registry
from pytest_lambda_lifecycle.api.replies import ApiError, Gone
from pytest_lambda_lifecycle.lifecycle.outcome import Request

from .apis import Answer, make

EXTERNAL, INTERNAL = ("a", "b"), ("c", "d")
NAMES = st.sampled_from(EXTERNAL + INTERNAL)
EVENT_LISTS = st.lists(st.sampled_from(["INVOKE", "SHUTDOWN", "BAD"]), max_size=2)
KINDS = st.sampled_from(["init", "exit"])


@dataclass
class Known:
    """One extension in the model."""

    state: str = "Started"
    identifier: str = ""
    asking: bool = False
    event: bytes | None = None
    gone: bool = False

    def next(self) -> str:
        """Ask for an event; return the state that refuses it, or ""."""
        if self.asking:
            return "Ready"
        if self.state not in {"Registered", "Running"}:
            return self.state
        self.state, self.asking = "Ready" if self.event is None else "Running", True
        return ""

    def report(self, kind: str) -> bool:
        """Post an error; return whether that is allowed."""
        allowed = {
            "init": {"Registered", "InitError"},
            "exit": {"Registered", "Ready", "Running", "ExitError"},
        }[kind]
        if self.state not in allowed:
            return False
        self.state = "InitError" if kind == "init" else "ExitError"
        return True

    def give(self, event: bytes) -> None:
        self.event = event
        if self.state == "Ready":
            self.state = "Running"


def refusal(model: dict[str, Known], name: str, events: list[str], is_open: bool) -> str:
    """Return why a registration is refused, or "" ."""
    if "BAD" in events or (name in INTERNAL and "SHUTDOWN" in events):
        return "Extension.InvalidEventType"
    if name in model:
        late = name in INTERNAL and not is_open
        if late:
            return "Extension.RegistrationClosed"
        return "" if model[name].state == "Started" else "Extension.InvalidExtensionState"
    return "" if is_open else "Extension.RegistrationClosed"


class RegistryMachine(RuleBasedStateMachine):
    """The registry without threads: a call of event/next takes two steps."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Any] = []
        self.now = 0
        self.registry = Registry(
            FunctionConfig("app.handler"), note=self.notes.append, now_us=self.tick
        )
        self.count = 0
        self.old: list[str] = []
        self.model: dict[str, Known] = {}
        self.over = self.shutting_down = False

    def tick(self) -> int:
        self.now += 1
        return self.now

    @initialize()
    def begins(self) -> None:
        self.begin()

    @precondition(lambda self: self.over)
    @rule()
    def begin(self) -> None:
        self.old += [known.identifier for known in self.model.values() if known.identifier]
        self.registry.begin(EXTERNAL)
        self.model = {name: Known() for name in EXTERNAL}
        self.is_open, self.over, self.shutting_down, self.fatal = True, False, False, None

    @rule()
    def end(self) -> None:
        self.registry.end()
        self.is_open, self.over = False, True

    @rule()
    def close_registration(self) -> None:
        self.registry.close_registration()
        self.is_open = False

    @rule()
    def shut_down(self) -> None:
        self.registry.shutting_down()
        self.is_open, self.shutting_down, self.fatal = False, True, None

    def outcome(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except Gone:
            return "gone"
        except ApiError as error:
            return error.error_type

    @rule(name=NAMES, events=EVENT_LISTS)
    def register(self, name: str, events: list[str]) -> None:
        expected = refusal(self.model, name, events, self.is_open)
        found = self.outcome(self.registry.register, name, {"events": events}, ())
        if self.over or expected:
            assert found == ("gone" if self.over else expected)
        else:
            self.model.setdefault(name, Known()).state = "Registered"
            self.model[name].identifier = found[0]
            assert self.notes[-1].extension == name

    def identified(self, name: str) -> Known | None:
        known = self.model.get(name)
        return known if known is not None and known.identifier else None

    @rule(name=NAMES)
    def ask(self, name: str) -> None:
        known = self.identified(name)
        if known is None:
            return
        found = self.outcome(self.registry.arrive, known.identifier)
        if self.over:
            assert found == "gone"
        else:
            assert found == ("Extension.InvalidExtensionState" if known.next() else None)

    @rule(name=NAMES)
    def take(self, name: str) -> None:
        known = self.identified(name)
        if known is None:
            return
        found = self.outcome(self.registry.take, known.identifier)
        if self.over:
            assert found == "gone"
        elif not known.asking or known.event is None:
            assert found is None
        else:
            expected = (
                known.event if known.state == "Running" else "Extension.InvalidExtensionState"
            )
            known.asking, known.event = False, None
            assert found == expected

    @rule(data=st.data())
    def publish(self, data: st.DataObject) -> None:
        names = data.draw(st.sets(st.sampled_from(sorted(self.model))))
        self.count += 1
        event = b"%d" % self.count
        self.registry.publish(names, event, with_id=True)
        for name in names:
            self.model[name].give(event)

    @rule(name=NAMES, kind=KINDS)
    def report(self, name: str, kind: str) -> None:
        known = self.identified(name)
        if known is None:
            return
        found = self.outcome(
            getattr(self.registry, f"{kind}_error"), known.identifier, "Extension.Mine"
        )
        if self.over:
            assert found == "gone"
            return
        first = known.state not in {"InitError", "ExitError"}
        if known.report(kind):
            assert found is None
            if first and not self.shutting_down:
                self.fatal = self.fatal or (name, f"Extension.{kind.capitalize()}Error")
        else:
            assert found == "Extension.InvalidExtensionState"

    @rule(name=st.sampled_from(EXTERNAL), exit_code=st.sampled_from([0, 1, -9]))
    def exit(self, name: str, exit_code: int) -> None:
        known = self.model[name]
        self.registry.exited(name, exit_code)
        if known.gone:
            return
        known.gone = True
        if not self.shutting_down:
            self.fatal = self.fatal or (name, "Extension.Crash")
        elif known.state == "Running":
            known.state = "ShutdownFailed" if exit_code else "Exited"

    @precondition(lambda self: self.old)
    @rule(data=st.data())
    def use_an_old_identifier(self, data: st.DataObject) -> None:
        identifier = data.draw(st.sampled_from(self.old))
        for call in (self.registry.arrive, self.registry.take, self.registry.name_of):
            assert self.outcome(call, identifier) == "Extension.UnknownExtensionIdentifier"

    @invariant()
    def agrees(self) -> None:
        agents = {agent.name: agent for agent in self.registry.agents}
        assert {name: agent.state for name, agent in agents.items()} == {
            name: known.state for name, known in self.model.items()
        }
        assert self.registry.fatal == (self.fatal if self.model else None)
        assert self.registry.wait(lambda: True, 0.0)  # no thread holds the lock


class HttpMachine(RuleBasedStateMachine):
    """Both APIs over HTTP; each client waits on its own thread."""

    def __init__(self) -> None:
        super().__init__()
        self.apis = make(FunctionConfig("app.handler"), lambda note: None, remote=True)
        self.apis.registry.begin(EXTERNAL)
        self.apis.runtime.begin()
        self.model = {name: Known() for name in EXTERNAL}
        self.waiting: dict[str, Future[Answer]] = {}
        self.runtime, self.asked, self.published, self.count = (
            "Started",
            list[Future[Answer]](),
            False,
            0,
        )

    def teardown(self) -> None:
        waiting = [*self.waiting.values(), *self.asked]
        self.apis.close()
        for future in waiting:
            assert isinstance(future.exception(20), ConnectionError)
        assert not self.apis.server.problems

    # -- extensions

    @rule(name=NAMES, events=EVENT_LISTS)
    def register(self, name: str, events: list[str]) -> None:
        expected = refusal(self.model, name, events, is_open=True)
        body = json.dumps({"events": events}).encode()
        answer = self.apis(
            "POST", "/2020-01-01/extension/register", body, Lambda_Extension_Name=name
        )
        if expected:
            assert answer.error[:2] == (403, expected)
        else:
            identifier = answer.headers["Lambda-Extension-Identifier"]
            self.model[name] = Known(
                "Registered", identifier, event=self.model.get(name, Known()).event
            )

    @rule(name=NAMES)
    def next_event(self, name: str) -> None:
        known = self.model.get(name)
        if known is None or not known.identifier:
            return
        refused = known.next()
        if not refused and known.event is None:
            self.waiting[name] = self.apis.next_later(known.identifier)
            return
        answer = self.apis.extension("event/next", known.identifier)
        if refused:
            assert f"from {refused} to Ready" in answer.json["errorMessage"]
        else:
            assert (answer.status, answer.body) == (200, known.event)
            known.asking, known.event = False, None

    @rule(name=NAMES)
    def publish(self, name: str) -> None:
        known = self.model.get(name)
        if known is None:
            return
        self.count += 1
        known.give(b"%d" % self.count)
        self.apis.registry.publish([name], b"%d" % self.count, with_id=False)
        if known.asking:
            answer = self.waiting.pop(name).result(20)
            assert answer.status == (200 if known.state == "Running" else 403)
            known.asking, known.event = False, None

    @rule(name=NAMES, kind=KINDS)
    def report(self, name: str, kind: str) -> None:
        known = self.model.get(name)
        if known is None or not known.identifier:
            return
        headers = {"Lambda_Extension_Function_Error_Type": "Extension.Mine"}
        answer = self.apis.extension(f"{kind}/error", known.identifier, **headers)
        assert answer.status == (202 if known.report(kind) else 403)

    # -- the runtime

    @precondition(lambda self: len(self.asked) < 3)
    @rule()
    def next_invocation(self) -> None:
        path = "/2018-06-01/runtime/invocation/next"
        allowed = self.runtime in {"Started", "Ready", "Running", "RuntimeResponseSentState"}
        waits = allowed and self.runtime != "Running" and not self.published
        if waits:
            queue = self.apis.runtime._waiting
            self.asked.append(self.apis.later("GET", path))
            assert self.apis.runtime.wait(lambda: len(queue) == len(self.asked), self.apis.soon())
            self.runtime = "Ready"
        elif allowed and self.asked:  # the client that has waited longest gets it
            self.asked.append(self.apis.later("GET", path))
            self.serve_one()
        else:
            answer = self.apis("GET", path)
            assert answer.status == (200 if allowed else 403)
            if allowed:
                self.runtime, self.published = "Running", False

    def serve_one(self) -> None:
        if (
            self.runtime == "Running"
        ):  # a new caller gets the event that is being handled, not a waiting one
            assert self.asked.pop().result(20).status == 200
            return
        assert (
            self.asked.pop(0).result(20).headers["Lambda-Runtime-Aws-Request-Id"]
            == f"r-{self.count}"
        )
        self.runtime, self.published = "Running", False

    @precondition(lambda self: self.runtime in {"Started", "Ready"} and not self.published)
    @rule()
    def publish_request(self) -> None:
        self.count += 1
        self.apis.runtime.publish(
            Request(b"{}", {"Lambda-Runtime-Aws-Request-Id": f"r-{self.count}"})
        )
        self.request_id, self.published = f"r-{self.count}", True
        if self.asked:
            self.serve_one()

    request_id = "r-0"

    @rule(
        kind=st.sampled_from(["response", "error"]),
        wrong=st.booleans(),
        mode=st.sampled_from(["", "x"]),
    )
    def answer(self, kind: str, wrong: bool, mode: str) -> None:
        request_id = "other" if wrong else self.request_id
        path = f"/2018-06-01/runtime/invocation/{request_id}/{kind}"
        answer = self.apis("POST", path, b"{}", Lambda_Runtime_Function_Response_Mode=mode)
        if wrong or self.request_id == "r-0":
            assert answer.error[:2] == (400, "InvalidRequestID")
        elif self.runtime != "Running":
            assert f"from {self.runtime} to Invocation" in answer.json["errorMessage"]
        elif kind == "response" and mode:
            assert answer.error[:2] == (400, "InvalidFunctionResponseMode")
            self.runtime = "InvocationResponse"
        else:
            assert answer.status == 202
            self.runtime = "RuntimeResponseSentState"

    @rule()
    def init_error(self) -> None:
        answer = self.apis("POST", "/2018-06-01/runtime/init/error", b"{}")
        assert answer.status == (202 if self.runtime == "Started" else 403)
        if self.runtime == "Started":
            self.runtime = "InitError"

    @invariant()
    def agrees(self) -> None:
        assert self.apis.runtime.state == self.runtime
        assert {agent.name: agent.state for agent in self.apis.registry.agents} == {
            name: known.state for name, known in self.model.items()
        }


TestRegistry = RegistryMachine.TestCase
TestRegistry.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestHttp = HttpMachine.TestCase
TestHttp.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
