"""The Extensions API over HTTP: statuses and bodies as recorded from the emulator of AWS."""

from __future__ import annotations

import json
import uuid

import pytest

from pytest_lambda_lifecycle import ExtensionFault, ExtensionRegistered

REGISTER = "/2020-01-01/extension/register"
NOBODY = "5f3b1f4e-8c2a-4a57-9d5e-1d7d6c3f2a10"


def not_allowed(before: str, after: str, who: str) -> tuple[int, str, str]:
    failed = f"State transition from {before} to {after} failed for extension {who}."
    text = f"{failed} Error: State transition is not allowed"
    return 403, "Extension.InvalidExtensionState", text


# -- register


def test_a_registration(apis, notes):
    answer = apis(
        "POST", REGISTER, b'{"events":["INVOKE","SHUTDOWN"]}', Lambda_Extension_Name="agent"
    )
    assert answer.status == 200
    assert (
        str(uuid.UUID(answer.headers["Lambda-Extension-Identifier"]))
        == answer.headers["Lambda-Extension-Identifier"]
    )
    assert answer.json == {
        "functionName": "function",
        "functionVersion": "$LATEST",
        "handler": "app.handler",
    }
    assert notes == [
        ExtensionRegistered(notes[0].at, "agent", ("INVOKE", "SHUTDOWN"), internal=False)
    ]


@pytest.mark.parametrize("features", ["accountId", "foo, accountId ,bar"])
def test_the_account_id_comes_first_on_request(apis, features):
    answer = apis(
        "POST",
        REGISTER,
        b"{}",
        Lambda_Extension_Name="agent",
        Lambda_Extension_Accept_Feature=features,
    )
    assert next(iter(answer.json.items())) == ("accountId", "123456789012")


@pytest.mark.parametrize("features", ["", "foo", "accountid"])
def test_other_features_bring_no_account_id(apis, features):
    answer = apis(
        "POST",
        REGISTER,
        b"{}",
        Lambda_Extension_Name="agent",
        Lambda_Extension_Accept_Feature=features,
    )
    assert answer.status == 200
    assert "accountId" not in answer.json


@pytest.mark.parametrize(
    "body", [b"{}", b'{"events":[]}', b'{"events":null}', b'{"other":1}', b"null"]
)
def test_registering_for_no_events(apis, body):
    assert apis("POST", REGISTER, body, Lambda_Extension_Name="agent").status == 200
    assert apis.registry.agents[0].events == frozenset()


@pytest.mark.parametrize("headers", [{}, {"Lambda_Extension_Name": ""}])
def test_a_missing_name_is_refused_before_the_body_is_read(apis, headers):
    answer = apis("POST", REGISTER, b"xx", **headers)
    assert answer.error == (403, "Extension.InvalidExtensionName", "Empty extension name")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "unexpected end of JSON input"),
        (b"  ", "unexpected end of JSON input"),
        (b"xx", "invalid character 'x' looking for beginning of value"),
        (b'{"events":', "unexpected end of JSON input"),
        (b"[]", ""),
        (b'"INVOKE"', ""),
        (b'{"events":"INVOKE"}', ""),
        (b'{"events":[1]}', ""),
        (b"\xff", ""),
        (b"[" * 100_000, ""),
        (b'{"events":[],"configurationKeys":["a"]}', "configurationKeys"),
    ],
)
def test_malformed_registrations(apis, body, message):
    status, kind, text = apis("POST", REGISTER, body, Lambda_Extension_Name="agent").error
    assert (status, kind) == (403, "InvalidRequestFormat")
    assert message in text
    assert apis.registry.agents[0].state == "Started"


@pytest.mark.parametrize("name", ["agent", "internal"])
@pytest.mark.parametrize("event", ["BAD", "invoke", ""])
def test_unknown_events(apis, name, event):
    answer = apis(
        "POST",
        REGISTER,
        json.dumps({"events": ["INVOKE", event]}).encode(),
        Lambda_Extension_Name=name,
    )
    assert answer.error == (403, "Extension.InvalidEventType", f"{event}: ErrorInvalidEventType")


def test_internal_extensions_cannot_register_for_shutdown(apis):
    answer = apis("POST", REGISTER, b'{"events":["SHUTDOWN"]}', Lambda_Extension_Name="internal")
    text = "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"
    assert answer.error == (403, "Extension.InvalidEventType", text)
    assert apis.register("internal", "INVOKE")


def test_a_name_without_an_external_extension_registers_an_internal_one(apis):
    apis.register("other", "INVOKE")
    assert [(agent.name, agent.internal, agent.state) for agent in apis.registry.agents] == [
        ("agent", False, "Started"),
        ("other", True, "Registered"),
    ]


def test_an_internal_extension_registers_once(apis):
    apis.register("internal")
    answer = apis("POST", REGISTER, b"{}", Lambda_Extension_Name="internal")
    text = "Extension with this name already registered"
    assert answer.error == (403, "Extension.InvalidExtensionState", text)


def test_an_external_extension_registers_once(apis):
    identifier = apis.register("agent")
    again = apis("POST", REGISTER, b"{}", Lambda_Extension_Name="agent")
    assert again.error == not_allowed("Registered", "Registered", "agent")
    apis.next_later(identifier)
    again = apis("POST", REGISTER, b"{}", Lambda_Extension_Name="agent")
    assert again.error == not_allowed("Ready", "Registered", "agent")


def test_the_limit_of_ten_extensions(apis):
    for number in range(9):
        apis.register(f"internal-{number}")
    answer = apis("POST", REGISTER, b"{}", Lambda_Extension_Name="one-more")
    assert answer.error == (403, "Extension.TooManyExtensions", "Extension limit (10) reached")
    assert apis.register("agent")  # already counted


def test_internal_extensions_cannot_register_after_init(apis):
    apis.registry.close_registration()
    answer = apis("POST", REGISTER, b"{}", Lambda_Extension_Name="internal")
    text = "Extension registration closed already"
    assert answer.error == (403, "Extension.RegistrationClosed", text)


# -- identifiers


@pytest.mark.parametrize("call", ["event/next", "init/error", "exit/error"])
def test_missing_invalid_and_unknown_identifiers(apis, call):
    missing = apis.extension(call)
    text = "Missing Lambda-Extension-Identifier header"
    assert missing.error == (403, "Extension.MissingExtensionIdentifier", text)
    invalid = apis.extension(call, "agent")
    text = "Invalid Lambda-Extension-Identifier"
    assert invalid.error == (403, "Extension.InvalidExtensionIdentifier", text)
    unknown = apis.extension(call, NOBODY, Lambda_Extension_Function_Error_Type="Extension.X")
    text = (
        f"Unknown extension {NOBODY}"
        if call == "event/next"
        else "Unknown Lambda-Extension-Identifier"
    )
    assert unknown.error == (403, "Extension.UnknownExtensionIdentifier", text)


@pytest.mark.parametrize("call", ["init/error", "exit/error"])
def test_a_missing_error_type_is_refused_before_the_identifier(apis, call):
    text = "Lambda-Extension-Function-Error-Type not found"
    assert apis.extension(call, NOBODY).error == (403, "Extension.MissingHeader", text)


def test_identifiers_are_unknown_to_the_next_generation(apis):
    identifier = apis.register("agent")
    apis.registry.end()
    apis.registry.begin(["agent"])
    assert (
        apis.extension("event/next", identifier).error[1] == "Extension.UnknownExtensionIdentifier"
    )
    assert apis.register("agent") != identifier


# -- event/next


def test_next_waits_for_an_event(apis):
    waiting = apis.next_later(apis.register("agent", "INVOKE"))
    assert apis.registry.agents[0].state == "Ready"
    apis.registry.publish(["agent"], b'{"eventType":"INVOKE"}', with_id=True)
    answer = waiting.result()
    assert (answer.status, answer.body) == (200, b'{"eventType":"INVOKE"}')
    assert answer.headers["Content-Type"] == "application/json"
    assert uuid.UUID(answer.headers["Lambda-Extension-Event-Identifier"])
    assert apis.registry.agents[0].state == "Running"


def test_a_shutdown_event_has_no_identifier(apis):
    waiting = apis.next_later(apis.register("agent", "SHUTDOWN"))
    apis.registry.publish(["agent"], b'{"eventType":"SHUTDOWN"}', with_id=False)
    answer = waiting.result()
    assert answer.body == b'{"eventType":"SHUTDOWN"}'
    assert "Lambda-Extension-Event-Identifier" not in answer.headers


def test_a_late_extension_gets_the_latest_event(apis):
    identifier = apis.register("agent", "INVOKE")
    apis.registry.publish(["agent"], b"first", with_id=True)
    apis.registry.publish(["agent"], b"second", with_id=True)
    assert apis.extension("event/next", identifier).body == b"second"


def test_an_event_reaches_only_the_named_extensions(apis):
    identifier, other = apis.register("agent", "INVOKE"), apis.register("internal")
    waiting, idle = apis.next_later(identifier), apis.next_later(other)
    apis.registry.publish(["agent"], b"{}", with_id=True)
    assert waiting.result().status == 200
    assert not idle.done()
    assert [agent.state for agent in apis.registry.agents] == ["Running", "Ready"]


def test_a_second_next_is_refused_and_the_first_is_served(apis):
    identifier = apis.register("agent", "INVOKE")
    waiting = apis.next_later(identifier)
    assert apis.extension("event/next", identifier).error == not_allowed(
        "Ready", "Ready", identifier
    )
    apis.registry.publish(["agent"], b"{}", with_id=True)
    assert waiting.result().status == 200


def test_a_second_next_does_not_take_the_event_of_the_first(apis):
    registry, identifier = apis.registry, apis.register("agent", "INVOKE")
    registry.arrive(identifier)
    assert registry.take(identifier) is None
    registry.publish(["agent"], b"{}", with_id=True)  # on its way to the first caller
    assert apis.extension("event/next", identifier).error == not_allowed(
        "Ready", "Ready", identifier
    )
    assert registry.take(identifier) == b"{}"
    assert registry.take(identifier) is None


def test_the_end_of_a_generation_closes_waiting_connections(apis):
    waiting = apis.next_later(apis.register("agent"))
    apis.registry.end()
    with pytest.raises(ConnectionError):
        waiting.result()


def test_the_end_of_a_process_releases_its_call(apis):
    waiting = apis.next_later(apis.register("agent"))
    apis.registry.exited("agent", 3)
    with pytest.raises(ConnectionError):
        waiting.result()
    assert apis.registry.fatal == ("agent", "Extension.Crash")


# -- errors

FAILED = {"Lambda_Extension_Function_Error_Type": "Extension.ConfigInvalid"}


def test_init_error(apis, notes):
    identifier = apis.register("agent")
    for _ in range(2):
        answer = apis.extension("init/error", identifier, **FAILED)
        assert (answer.status, answer.body) == (202, b'{"status":"OK"}\n')
    assert apis.extension("exit/error", identifier, **FAILED).error == not_allowed(
        "InitError", "Exited", identifier
    )
    assert apis.extension("event/next", identifier).error == not_allowed(
        "InitError", "Ready", identifier
    )
    assert apis.registry.fatal == ("agent", "Extension.InitError")
    assert notes[1:] == [
        ExtensionFault(notes[1].at, "agent", "Extension.InitError", "Extension.ConfigInvalid")
    ]


def test_init_error_is_refused_after_init(apis):
    identifier = apis.register("agent", "INVOKE")
    waiting = apis.next_later(identifier)
    assert apis.extension("init/error", identifier, **FAILED).error == not_allowed(
        "Ready", "InitError", identifier
    )
    apis.registry.publish(["agent"], b"{}", with_id=True)
    waiting.result()
    assert apis.extension("init/error", identifier, **FAILED).error == not_allowed(
        "Running", "InitError", identifier
    )
    assert apis.registry.fatal is None


def test_an_exit_error_is_fatal_once_the_process_has_ended(apis, notes):
    identifier = apis.register("agent", "INVOKE")
    apis.registry.publish(["agent"], b"{}", with_id=True)
    apis.extension("event/next", identifier)
    for _ in range(2):
        assert apis.extension("exit/error", identifier, **FAILED).status == 202
    assert apis.extension("event/next", identifier).error == not_allowed(
        "ExitError", "Ready", identifier
    )
    apis.registry.exited("agent", 1)
    assert apis.registry.fatal == ("agent", "Extension.ExitError")  # the first one counts
    assert [note.error_type for note in notes[1:]] == ["Extension.ExitError"]


def test_exit_error_while_another_thread_waits(apis):
    identifier = apis.register("agent", "INVOKE")
    waiting = apis.next_later(identifier)
    assert apis.extension("exit/error", identifier, **FAILED).status == 202
    apis.registry.publish(["agent"], b"{}", with_id=True)
    assert waiting.result().error[2].endswith("Error: Concurrent state modification")


def test_errors_have_no_effect_during_shutdown(apis, notes):
    identifier = apis.register("agent")
    apis.registry.shutting_down()
    assert apis.extension("exit/error", identifier, **FAILED).status == 202
    apis.registry.exited("agent", 9)
    assert apis.registry.fatal is None
    assert len(notes) == 1


@pytest.mark.parametrize(
    ("exit_code", "state"), [(0, "Exited"), (1, "ShutdownFailed"), (-9, "ShutdownFailed")]
)
def test_the_state_of_an_extension_that_ends_during_shutdown(apis, exit_code, state):
    identifier = apis.register("agent", "SHUTDOWN")
    apis.registry.shutting_down()
    apis.registry.publish(["agent"], b"{}", with_id=False)
    apis.extension("event/next", identifier)
    apis.registry.exited("agent", exit_code)
    (agent,) = apis.registry.agents
    assert (agent.state, agent.exit_code) == (state, exit_code)
    assert agent.exited_at_us > agent.done_at_us


# -- subscriptions and metadata


@pytest.mark.parametrize(
    ("path", "api"), [("/2022-07-01/telemetry", "telemetry"), ("/2020-08-15/logs", "logs")]
)
def test_subscriptions_are_passed_to_the_hub(apis, path, api):
    assert apis("PUT", path, b"{}").error[1] == "Extension.MissingExtensionIdentifier"
    text = f"Unknown extension {NOBODY}"
    unknown = apis("PUT", path, b"{}", Lambda_Extension_Identifier=NOBODY)
    assert unknown.error == (403, "Extension.UnknownExtensionIdentifier", text)
    assert apis.hub.asked == []
    identifier = apis.register("agent")
    assert apis("PUT", path, b"{}", Lambda_Extension_Identifier=identifier).json == "OK"
    assert apis.hub.asked == [(api, "agent", b"{}")]
    refused = apis("PUT", path, b"refuse", Lambda_Extension_Identifier=identifier)
    assert refused.error == (400, "ValidationError", "no")


def test_the_metadata_endpoint(apis):
    path = "/2026-01-15/metadata/execution-environment"
    answer = apis("GET", path, Authorization="Bearer secret")
    assert (answer.status, answer.json) == (200, {"AvailabilityZoneID": "use1-az1"})
    assert answer.headers["Cache-Control"] == "private, max-age=43200, immutable"
    for given in (
        {},
        {"Authorization": "secret"},
        {"Authorization": "Bearer other"},
        {"Authorization": "Bearer \xe9"},
    ):
        assert (apis("GET", path, **given).status) == 401
    assert apis("POST", path, b"", Authorization="Bearer secret").status == 405
