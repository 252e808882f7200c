"""The timeline as telemetry records; events of extensions in the log and in the table."""

from __future__ import annotations

import json
from typing import Final

import pytest

from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
from pytest_lambda_lifecycle.api.telemetry.records import LOGS_SCHEMAS, TELEMETRY_SCHEMAS, records
from pytest_lambda_lifecycle.lifecycle import rules
from pytest_lambda_lifecycle.lifecycle.events import (
    FunctionLog,
    InitReport,
    InitRuntimeDone,
    InitStart,
    InvokeReport,
    InvokeStart,
    RestoreReport,
    RestoreStart,
    RuntimeDone,
    ShutdownReport,
)
from pytest_lambda_lifecycle.lifecycle.extension_events import (
    ExtensionDone,
    ExtensionFault,
    ExtensionLog,
    ExtensionNotified,
    ExtensionRegistered,
    ExtensionState,
    LogsDropped,
    Signal,
    TelemetrySubscription,
)
from pytest_lambda_lifecycle.lifecycle.outcome import (
    Exited,
    ExtensionFailed,
    Loaded,
    Raised,
    Returned,
    TimedOut,
)
from pytest_lambda_lifecycle.lifecycle.platform_lines import log_text, platform_error
from pytest_lambda_lifecycle.lifecycle.timeline_table import render

AT = 1_800_000_000_123_456
TIME = "2027-01-15T08:00:00.123Z"
CONFIG = FunctionConfig(
    "app.handler", function_name="orders", memory_size=256, runtime="python3.13"
)
POSTED = Raised(b"{}", {"errorType": "ValueError", "errorMessage": "no"})
NOT_LOADED = Raised(b"{}", {"errorType": "Runtime.ImportModuleError"}, exit_code=1)
CRASH = ExtensionFailed("probe", "Extension.Crash", "exit status 5")
TRACING = {"type": "X-Amzn-Trace-Id", "value": "Root=1-5;Sampled=0"}


def told(*events, config=CONFIG, schema="2022-12-13"):
    """Return the records of events as pairs; other tests check their times."""
    return [(one["type"], one["record"]) for one in records(events, config, schema=schema)]


def started(at=AT, trace_id=TRACING["value"]):
    return InvokeStart(at, "r-1", "$LATEST", 0, trace_id, cold_start=False)


def done(outcome, duration_us=1500, at=AT):
    return RuntimeDone(at, "r-1", outcome, "ignored", "ignored", duration_us)


def report(status="success", error_type="", **more):
    return InvokeReport(AT, "r-1", status, error_type, 1500, 256, **more)


class TestInit:
    @pytest.mark.parametrize("phase", ["init", "invoke"])
    def test_success(self, phase):
        events = [
            InitStart(AT, "on-demand", phase, "python3.13"),
            InitRuntimeDone(AT, Loaded(), "success"),
            InitReport(AT, "on-demand", phase, "success", "", 311_612, Loaded()),
        ]
        common = {"initializationType": "on-demand", "phase": phase}
        instance = {
            "functionName": "orders",
            "functionVersion": "$LATEST",
            "instanceMaxMemory": 256 * 1024 * 1024,
        }
        assert told(*events) == [
            ("platform.initStart", {**common, **instance, "runtimeVersion": "python:3.13"}),
            ("platform.initRuntimeDone", {**common, "status": "success"}),
            (
                "platform.initReport",
                {**common, "status": "success", "metrics": {"durationMs": 311.612}},
            ),
        ]

    @pytest.mark.parametrize(
        ("outcome", "verdict"),
        [
            (NOT_LOADED, {"status": "error", "errorType": "Runtime.ImportModuleError"}),
            (POSTED, {"status": "error", "errorType": "Runtime.Unknown"}),
            (Exited(1), {"status": "error", "errorType": "Runtime.ExitError"}),
            (CRASH, {"status": "error", "errorType": "Extension.Crash"}),
            (
                ExtensionFailed("a", "Sandbox.Failure", ""),
                {"status": "failure", "errorType": "Sandbox.Failure"},
            ),
            (TimedOut(10), {"status": "timeout"}),
        ],
    )
    def test_failures(self, outcome, verdict):
        [(_, record)] = told(InitRuntimeDone(AT, outcome, "ignored", "ignored"))
        assert record == {"initializationType": "on-demand", "phase": "init", **verdict}

    def test_the_report_names_the_error(self):
        [(_, record)] = told(
            InitReport(
                AT,
                "on-demand",
                "init",
                "error",
                "Extension.Crash",
                1000,
                ExtensionFailed("a", "Extension.Crash", "exit status 1"),
            )
        )
        assert (record["status"], record["errorType"]) == ("error", "Extension.Crash")

    def test_restore(self):
        assert told(
            RestoreStart(AT), RestoreReport(AT, Exited(1), "error", "Runtime.ExitError", 88_100)
        ) == [
            (
                "platform.restoreStart",
                {
                    "functionName": "orders",
                    "functionVersion": "$LATEST",
                    "runtimeVersion": "python:3.13",
                    "instanceMaxMemory": 268_435_456,
                },
            ),
            ("platform.restoreRuntimeDone", {"status": "error", "errorType": "Runtime.ExitError"}),
            (
                "platform.restoreReport",
                {
                    "status": "error",
                    "errorType": "Runtime.ExitError",
                    "metrics": {"durationMs": 88.1},
                },
            ),
        ]


class TestInvoke:
    def test_success(self):
        outcome = Returned(b"12345", "application/json")
        assert told(
            started(), done(outcome, at=AT + 1500), report(init_us=2000, overhead_us=23_456)
        ) == [
            ("platform.start", {"requestId": "r-1", "version": "$LATEST", "tracing": TRACING}),
            (
                "platform.runtimeDone",
                {
                    "requestId": "r-1",
                    "status": "success",
                    "metrics": {"durationMs": 1.5, "producedBytes": 5},
                    "spans": [
                        {"name": "responseLatency", "start": TIME, "durationMs": 1.5},
                        {
                            "name": "responseDuration",
                            "start": "2027-01-15T08:00:00.124Z",
                            "durationMs": 0.0,
                        },
                        {
                            "name": "runtimeOverhead",
                            "start": "2027-01-15T08:00:00.124Z",
                            "durationMs": 0.0,
                        },
                    ],
                    "tracing": TRACING,
                },
            ),
            (
                "platform.report",
                {
                    "requestId": "r-1",
                    "status": "success",
                    "metrics": {
                        "durationMs": 1.5,
                        "billedDurationMs": 4,
                        "memorySizeMB": 256,
                        "maxMemoryUsedMB": 256,
                        "initDurationMs": 2.0,
                    },
                    "spans": [
                        {
                            "name": "extensionOverhead",
                            "start": "2027-01-15T08:00:00.100Z",
                            "durationMs": 23.456,
                        }
                    ],
                    "tracing": TRACING,
                },
            ),
        ]

    @pytest.mark.parametrize(
        ("outcome", "verdict"),
        [
            (POSTED, {"status": "success"}),  # the runtime has finished
            (rules.response_too_large(), {"status": "success"}),
            # A suppressed init.
            (NOT_LOADED, {"status": "error", "errorType": "Runtime.ImportModuleError"}),
            (Exited(-9), {"status": "error", "errorType": "Runtime.ExitError"}),
            (CRASH, {"status": "error", "errorType": "Extension.Crash"}),
            (TimedOut(3), {"status": "timeout"}),
        ],
    )
    def test_the_status_of_the_runtime(self, outcome, verdict):
        [(_, record)] = told(done(outcome))
        assert record == {
            "requestId": "r-1",
            **verdict,
            "metrics": {"durationMs": 1.5, "producedBytes": 0},
        }

    def test_the_report_shows_a_failure_after_the_response(self):
        [_, (_, record)] = told(
            done(Returned(b"1", "")), report("error", "Extension.Crash", failure=CRASH)
        )
        assert (record["status"], record["errorType"]) == ("error", "Extension.Crash")

    def test_restored(self):
        [(_, record)] = told(report(restore_us=70_870))
        assert record["metrics"]["restoreDurationMs"] == 70.87

    def test_no_tracing_without_a_trace(self):
        for _, record in told(started(trace_id=""), done(Exited(1)), report()):
            assert "tracing" not in record

    def test_each_invoke_has_its_own_trace(self):
        values = [
            record["tracing"]["value"]
            for _, record in told(started(), report(), started(AT, "b"), report())
        ]
        assert values == [TRACING["value"]] * 2 + ["b"] * 2


class TestOutput:
    def test_one_record_per_line(self):
        assert told(
            FunctionLog(AT, "stdout", "a\n\nb\rc\u2028d\ne"), ExtensionLog(AT, "probe", "f\ng\n")
        ) == [
            ("function", "a\n"),
            ("function", "\n"),
            ("function", "b\rc\u2028d\n"),
            ("function", "e"),
            ("extension", "f\n"),
            ("extension", "g\n"),
        ]

    @pytest.mark.parametrize("schema", [*TELEMETRY_SCHEMAS, *LOGS_SCHEMAS])
    def test_json_lines_are_objects_in_newer_schemas(self, schema):
        line = '{"level": "INFO"}\n'
        wanted = {"level": "INFO"} if schema in ("2022-12-13", "2025-01-29") else line
        config = CONFIG.replace(log_format="JSON")
        assert told(FunctionLog(AT, "stdout", line), config=config, schema=schema) == [
            ("function", wanted)
        ]
        assert told(ExtensionLog(AT, "probe", line), config=config, schema=schema) == [
            ("extension", wanted)
        ]
        assert told(FunctionLog(AT, "stdout", line), schema=schema) == [("function", line)]

    @pytest.mark.parametrize(
        "line", ["plain\n", "[1]\n", "3\n", '{"a": \n', '{"a": NaN}\n', '{"a":' * 100_000]
    )
    def test_lines_that_are_not_objects_stay_text(self, line):
        config = CONFIG.replace(log_format="JSON")
        assert told(FunctionLog(AT, "stdout", line), config=config) == [("function", line)]


class TestExtensions:
    def test_records(self):
        assert told(
            TelemetrySubscription(AT, "probe", "telemetry", ("platform", "function")),
            TelemetrySubscription(AT, "older", "logs", ("extension",)),
            ExtensionState(AT, "probe", "Ready", ("INVOKE", "SHUTDOWN")),
            ExtensionState(AT, "broken", "LaunchError", (), "PermissionDenied"),
            LogsDropped(AT, "probe", 12, 3072, "consumer too slow"),
        ) == [
            (
                "platform.telemetrySubscription",
                {"name": "probe", "state": "Subscribed", "types": ["platform", "function"]},
            ),
            (
                "platform.logsSubscription",
                {"name": "older", "state": "Subscribed", "types": ["extension"]},
            ),
            (
                "platform.extension",
                {"name": "probe", "state": "Ready", "events": ["INVOKE", "SHUTDOWN"]},
            ),
            (
                "platform.extension",
                {
                    "name": "broken",
                    "state": "LaunchError",
                    "events": [],
                    "errorType": "PermissionDenied",
                },
            ),
            (
                "platform.logsDropped",
                {"reason": "consumer too slow", "droppedRecords": 12, "droppedBytes": 3072},
            ),
        ]

    def test_events_without_a_record_in_telemetry(self):
        assert (
            told(
                ExtensionDone(AT, "probe", 3),
                Signal(AT, "runtime", "SIGTERM"),
                ExtensionFault(AT, "a", "b", ""),
            )
            == []
        )


class TestLogsApi:
    EVENTS = (
        InitStart(AT, "on-demand", "init", "python3.13"),
        InitRuntimeDone(AT, Loaded(), "success"),
        InitReport(AT, "on-demand", "init", "success", "", 731_790, Loaded()),
        started(),
        done(Exited(1)),
        report("error", "Runtime.ExitError"),
    )
    METRICS: Final = {
        "durationMs": 1.5,
        "billedDurationMs": 2,
        "memorySizeMB": 256,
        "maxMemoryUsedMB": 256,
    }

    def test_the_newer_schema(self):
        assert told(*self.EVENTS, schema="2021-03-18") == [
            ("platform.initRuntimeDone", {"initializationType": "on-demand", "status": "success"}),
            (
                "platform.initReport",
                {
                    "initializationType": "on-demand",
                    "metrics": {"durationMs": 731.79, "billedDurationMs": 732},
                },
            ),
            ("platform.start", {"requestId": "r-1", "version": "$LATEST"}),
            ("platform.runtimeDone", {"requestId": "r-1", "status": "failure"}),
            ("platform.fault", "RequestId: r-1 Status: error\tErrorType: Runtime.ExitError"),
            ("platform.end", {"requestId": "r-1"}),
            ("platform.report", {"requestId": "r-1", "metrics": self.METRICS}),
        ]

    def test_the_older_schema_has_no_runtime_done(self):
        older, newer = (told(*self.EVENTS, schema=schema) for schema in LOGS_SCHEMAS)
        assert older == [one for one in newer if one[0] != "platform.runtimeDone"]

    @pytest.mark.parametrize(
        ("outcome", "status"),
        [(POSTED, "success"), (TimedOut(3), "timeout"), (CRASH, "failure"), (Exited(0), "failure")],
    )
    def test_three_statuses(self, outcome, status):
        assert told(done(outcome), schema="2021-03-18") == [
            ("platform.runtimeDone", {"requestId": "r-1", "status": status})
        ]

    def test_a_timeout_is_a_fault_without_a_type(self):
        assert told(report("timeout"), schema="2020-08-15")[0] == (
            "platform.fault",
            "RequestId: r-1 Status: timeout",
        )

    def test_restore(self):
        events = [RestoreStart(AT), RestoreReport(AT, Loaded(), "success", "", 70_870)]
        metrics = {"durationMs": 70.87, "billedDurationMs": 71}
        assert told(*events, schema="2021-03-18") == [
            ("platform.restoreStart", {}),
            ("platform.restoreRuntimeDone", {"status": "success"}),
            ("platform.restoreReport", {"metrics": metrics}),
        ]
        assert told(*events, schema="2020-08-15")[1] == (
            "platform.restoreReport",
            {"metrics": metrics},
        )


def test_records_of_a_real_environment(tmp_path):
    (tmp_path / "app.py").write_text(
        "def handler(event, context):\n    print('working')\n    return event\n"
    )
    with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=tmp_path)) as env:
        env.invoke({"a": 1}, request_id="8-4")
        found = records(env.timeline, env.config)
        whole = records(env.timeline[:], env.config)
    assert json.loads(json.dumps(found)) == found == whole
    assert [one["type"] for one in found] == [
        "platform.initStart",
        "platform.initRuntimeDone",
        "platform.initReport",
        "platform.start",
        "function",
        "platform.runtimeDone",
        "platform.report",
    ]
    assert {one["record"]["requestId"] for one in found if "requestId" in one["record"]} == {"8-4"}


class TestLogAndTable:
    def test_the_log_lines_of_extensions(self):
        events = [
            FunctionLog(AT, "stdout", "unfinished"),
            TelemetrySubscription(AT, "probe", "telemetry", ("platform", "function", "extension")),
            TelemetrySubscription(AT, "older", "logs", ("platform",)),
            ExtensionState(AT, "probe", "Ready", ("INVOKE", "SHUTDOWN")),
            ExtensionState(AT, "quiet", "Ready", ()),
            ExtensionState(AT, "broken", "LaunchError", (), "PermissionDenied"),
            ExtensionLog(AT, "probe", "hello\n"),
        ]
        assert log_text(events) == (
            "unfinished\n"
            "TELEMETRY\tName: probe\tState: Subscribed\tTypes: [Platform, Function, Extension]\n"
            "LOGS\tName: older\tState: Subscribed\tTypes: [Platform]\n"
            "EXTENSION\tName: probe\tState: Ready\tEvents: [INVOKE, SHUTDOWN]\n"
            "EXTENSION\tName: quiet\tState: Ready\tEvents: []\n"
            "EXTENSION\tName: broken\tState: LaunchError\tEvents: []"
            "\tError Type: PermissionDenied\n"
            "hello\n"
        )

    def test_the_rows_of_extensions_in_the_table(self):
        events = [
            ExtensionRegistered(AT, "probe", ("INVOKE", "SHUTDOWN"), internal=False),
            ExtensionRegistered(AT, "inner", (), internal=True),
            ExtensionState(AT, "probe", "Ready", ("INVOKE",)),
            ExtensionNotified(AT, "probe", {"eventType": "INVOKE"}),
            ExtensionNotified(AT, "probe", {"eventType": "SHUTDOWN", "shutdownReason": "spindown"}),
            ExtensionDone(AT, "probe", 2500),
            ExtensionFault(AT, "probe", "Extension.Crash", "exit status 5"),
            ExtensionLog(AT, "probe", "one\ntwo\n"),
            TelemetrySubscription(AT, "probe", "telemetry", ("platform", "function")),
            LogsDropped(AT, "probe", 12, 3072, "nobody listens"),
            Signal(AT, "runtime", "SIGTERM", "exit status 0"),
            Signal(AT, "probe", "SIGKILL"),
            report("error", "Extension.Crash", failure=CRASH),
            ShutdownReport(AT, "spindown", "success", 2_000_000, (), ("probe",)),
        ]
        assert [line[15:] for line in render(events).splitlines()] == [
            "  extension probe: registered for INVOKE, SHUTDOWN",
            "  internal extension inner: registered for nothing",
            "  extension probe: Ready",
            "  extension probe: notified of INVOKE",
            "  extension probe: notified of SHUTDOWN (spindown)",
            "  extension probe: done after 2.50 ms",
            "  extension probe: Extension.Crash, exit status 5",
            "  probe: one",
            "  probe: two",
            "  extension probe: subscribed through the Telemetry API to platform, function",
            "  extension probe: 12 records (3072 bytes) did not reach it: nobody listens",
            "  SIGTERM to runtime: exit status 0",
            "  SIGKILL to probe",
            "Invoke ended: error Extension.Crash, 1.50 ms, billed 2 ms",
            "Shutdown ended: success, 2000.00 ms, killed: probe",
        ]

    def test_the_error_that_the_caller_gets_of_an_extension(self):
        assert platform_error("r-1", CRASH) == (
            "Extension.Crash",
            "RequestId: r-1 Error: exit status 5",
        )
