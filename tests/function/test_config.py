"""Settings: accepted values, refused values, and the source of each value."""

from __future__ import annotations

import copy
import dataclasses
import errno
import json
import os
import pickle
import socket
import sys
from pathlib import Path

import pytest

from pytest_lambda_lifecycle.errors import ConfigError, LifecycleError
from pytest_lambda_lifecycle.function.config import FunctionConfig
from pytest_lambda_lifecycle.function.reserved import RESERVED_VARIABLES
from pytest_lambda_lifecycle.function.settings import (
    Settings,
    SettingsLayer,
    setting_names,
)
from pytest_lambda_lifecycle.function.variables import NO_LISTENER, function_variables

HERE = Path(__file__).parent


def test_the_documented_defaults():
    config = FunctionConfig("app.handler")
    assert (config.handler, config.timeout, config.memory_size, config.ephemeral_storage) == (
        "app.handler",
        3,
        128,
        512,
    )
    assert (config.function_name, config.function_version) == ("function", "$LATEST")
    assert (config.region, config.account_id) == ("us-east-1", "123456789012")
    assert config.runtime == f"python3.{sys.version_info.minor}"
    assert (config.initialization_type, config.log_format, config.application_log_level) == (
        "on-demand",
        "Text",
        None,
    )
    assert (config.code_dir, config.layers, dict(config.environment), config.fresh_packages) == (
        None,
        (),
        {},
        (),
    )


def test_every_setting_is_a_field():
    fields = {
        field.name for field in dataclasses.fields(FunctionConfig) if not field.name.startswith("_")
    }
    assert fields == set(setting_names()) == set(Settings.__annotations__)


@pytest.mark.parametrize(
    ("settings", "texts"),
    [
        ({"timeout": 0}, ["timeout=0 s", "1..1800 s"]),
        ({"timeout": 1801}, ["timeout=1801 s is outside Lambda's range 1..1800 s"]),
        ({"timeout": -1}, ["timeout=-1 s"]),
        (
            {"timeout": "3"},
            ["timeout='3' is of type str", "whole number of seconds", "written timeout=3"],
        ),
        ({"timeout": 2.5}, ["timeout=2.5 is of type float"]),
        ({"timeout": True}, ["timeout=True is of type bool"]),
        ({"timeout": None}, ["timeout=None is of type NoneType"]),
        ({"memory_size": 64}, ["memory_size=64 MB", "128..10240 MB"]),
        ({"memory_size": 127}, ["memory_size=127 MB"]),
        ({"memory_size": 10_241}, ["memory_size=10241 MB"]),
        ({"ephemeral_storage": 511}, ["ephemeral_storage=511 MB", "512..10240 MB"]),
        ({"ephemeral_storage": 10_241}, ["ephemeral_storage=10241 MB"]),
        ({"function_name": ""}, ["function_name=''", "1..64"]),
        ({"function_name": "a b"}, ["function_name='a b'"]),
        ({"function_name": "x" * 65}, ["1..64"]),
        ({"function_version": "latest"}, ["function_version='latest'", "$LATEST"]),
        ({"function_version": 1}, ["function_version=1 is of type int"]),
        ({"region": "virginia"}, ["region='virginia'", "eu-west-1"]),
        ({"region": "us-east-1\n"}, ["region="]),
        (
            {"account_id": 123456789012},
            ["account_id=123456789012 is of type int", "string of 12 digits"],
        ),
        ({"account_id": "12345"}, ["account_id='12345'", "12 digits"]),
        ({"runtime": "python3.9"}, ["runtime='python3.9'", "'python3.10'", "'python3.15'"]),
        ({"runtime": "Python3.12"}, ["did you mean 'python3.12'"]),
        (
            {"initialization_type": "warm"},
            ["initialization_type='warm'", "'provisioned-concurrency'"],
        ),
        ({"log_format": "json"}, ["log_format='json'", "did you mean 'JSON'"]),
        ({"log_format": None}, ["log_format=None"]),
        ({"application_log_level": "WARNING"}, ["did you mean 'WARN'"]),
        ({"application_log_level": 10}, ["application_log_level=10"]),
        ({"handler": b"app.handler"}, ["handler=b'app.handler' is of type bytes", "'app.handler'"]),
        ({"handler": os.path.join}, ["has to be a string", "posixpath.join"]),
        (
            {"code_dir": "no/such"},
            ["code_dir='no/such'", f"{Path.cwd() / 'no/such'} does not exist"],
        ),
        ({"code_dir": __file__}, ["is a file, not a directory"]),
        ({"code_dir": "x" * 5000}, ["code_dir='xxx", "cannot be reached: File name too long"]),
        (
            {"extensions": ["x" * 5000]},
            ["extensions[0]='xxx", "cannot be reached: File name too long"],
        ),
        ({"code_dir": ""}, ["code_dir=''", "path of a directory"]),
        ({"code_dir": 3}, ["code_dir=3"]),
        (
            {"layers": "layer"},
            ["layers='layer' has to be a list of directories", "layers=['layer']"],
        ),
        ({"layers": ["no-layer"]}, ["layers[0]='no-layer'", "does not exist"]),
        ({"layers": [HERE] * 6}, ["6 layers", "maximum of 5"]),
        ({"layers": [None]}, ["layers[0]=None"]),
        ({"fresh_packages": "boto3"}, ["fresh_packages='boto3'", "fresh_packages=['boto3']"]),
        (
            {"fresh_packages": ["aws-lambda-powertools"]},
            ["no import name", "did you mean 'aws_lambda_powertools'"],
        ),
        ({"fresh_packages": [1]}, ["fresh_packages has 1"]),
        ({"environment": [("AB", "1")]}, ["has to be a mapping"]),
        ({"environment": {"A": "1"}}, ["refuses the name 'A'", "two characters"]),
        ({"environment": {"1A": "1"}}, ["refuses the name '1A'", "starts with a letter"]),
        ({"environment": {"A-B": "1"}}, ["refuses the name 'A-B'"]),
        ({"environment": {1: "1"}}, ["refuses the name 1"]),
        ({"environment": {"AB": 1}}, ["'AB' is 1, of type int", "write '1'"]),
        ({"environment": {"AB": "a\0b"}}, ["null character"]),
        (
            {"environment": {"AWS_REGION": "x"}},
            ["'AWS_REGION' is reserved", "use the setting region"],
        ),
        ({"environment": {"_HANDLER": "x"}}, ["'_HANDLER' is reserved", "use the setting handler"]),
        ({"environment": {"AWS_SESSION_TOKEN": "x"}}, ["reserved", "leave it out"]),
    ],
)
def test_bad_values_are_refused_with_value_and_range(settings, texts):
    values = {"handler": "app.handler", **settings}
    with pytest.raises(ConfigError) as caught:
        FunctionConfig._resolve(SettingsLayer("the marker at tests/test_x.py:12", values))
    message = str(caught.value)
    for text in texts:
        assert text in message
    assert "(from the marker at tests/test_x.py:12)" in message


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout": 1},
        {"timeout": 1800},
        {"memory_size": 128},
        {"memory_size": 10_240},
        {"ephemeral_storage": 10_240},
        {"function_name": "a-B_9"},
        {"function_version": "17"},
        {"region": "us-gov-west-1"},
        {"region": "ap-southeast-5"},
        {"account_id": "000000000000"},
        {"runtime": "python3.15"},
        {"application_log_level": "TRACE"},
        {"application_log_level": None},
        {"fresh_packages": "*"},
        {"fresh_packages": ("a", "b.c")},
        {"layers": (layer for layer in [HERE])},
        {"environment": {"AWS_LAMBDA_LOG_FORMAT": "odd", "AWS_LAMBDA_LOG_LEVEL": "odd"}},
        {"environment": {"TZ": "x", "PATH": "", "AB": "é"}},
    ],
)
def test_values_at_the_edges_are_accepted(settings):
    FunctionConfig("app.handler", **settings)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("memory", "memory_size"),
        ("Timeout", "timeout"),
        ("env", "environment"),
        ("code-dir", "code_dir"),
    ],
)
def test_an_unknown_setting_is_refused_with_the_nearest_name(name, near):
    with pytest.raises(
        ConfigError, match=rf"unknown setting '{name}': did you mean '{near}'\?"
    ) as caught:
        FunctionConfig("app.handler", **{name: 1})
    assert all(known in str(caught.value) for known in setting_names())


def test_an_unknown_setting_without_a_near_name_lists_all():
    with pytest.raises(
        ConfigError, match=r"unknown setting 'zzz'\. \(from the arguments of FunctionConfig\)"
    ):
        FunctionConfig("app.handler", zzz=1)


def test_the_error_of_a_missing_handler_says_how_to_give_one():
    with pytest.raises(ConfigError, match=r"no handler: .*FunctionConfig\(\"app.handler\"\)"):
        FunctionConfig()
    with pytest.raises(ConfigError, match=r"no handler \(the call at a.py:1 gave none\)"):
        FunctionConfig._resolve(
            SettingsLayer("the call at a.py:1", {"handler": None, "timeout": 4})
        )


@pytest.mark.parametrize(
    "handler", ["", "handler", ".x", "a..b", "x/y.z", "app.handler.deep", "ä.b"]
)
def test_any_string_is_passed_to_the_runtime(handler):
    assert FunctionConfig(handler).handler == FunctionConfig(handler=handler).handler == handler


def test_config_errors_are_lifecycle_errors_and_value_errors():
    assert issubclass(ConfigError, LifecycleError)
    assert issubclass(ConfigError, ValueError)


class TestEnvironmentSize:
    def test_4096_bytes_fit(self):
        assert FunctionConfig("a.b", environment={"AB": "x" * 4094}).environment["AB"]

    def test_one_byte_more_is_refused(self):
        with pytest.raises(
            ConfigError, match=r"4097 bytes together, Lambda's limit is 4096; the largest is 'AB'"
        ):
            FunctionConfig("a.b", environment={"AB": "x" * 4000, "CD": "y" * 93})

    def test_bytes_are_counted_not_characters(self):
        with pytest.raises(ConfigError, match="4098 bytes"):
            FunctionConfig("a.b", environment={"AB": "é" * 2048})

    def test_the_source_of_the_largest_is_named(self):
        with pytest.raises(ConfigError, match="from the ini file"):
            FunctionConfig._resolve(
                SettingsLayer("the ini file", {"environment": {"BIG": "x" * 4000}}),
                SettingsLayer("the call", {"handler": "a.b", "environment": {"MORE": "x" * 100}}),
            )


class TestPublishedVersions:
    @pytest.mark.parametrize("kind", ["provisioned-concurrency", "snap-start"])
    def test_the_default_is_version_1(self, kind):
        assert FunctionConfig("a.b", initialization_type=kind).function_version == "1"
        assert (
            FunctionConfig("a.b", initialization_type=kind, function_version="7").function_version
            == "7"
        )

    @pytest.mark.parametrize("kind", ["provisioned-concurrency", "snap-start"])
    def test_latest_is_refused_with_both_sources(self, kind):
        with pytest.raises(
            ConfigError,
            match=r"\(from the marker\) cannot have initialization_type=.* \(from the call\)",
        ):
            FunctionConfig._resolve(
                SettingsLayer("the marker", {"function_version": "$LATEST"}),
                SettingsLayer("the call", {"handler": "a.b", "initialization_type": kind}),
            )


class TestLayers:
    def test_the_last_layer_wins_and_is_the_source(self):
        config = FunctionConfig._resolve(
            SettingsLayer("ini", {"timeout": 5, "memory_size": 256}),
            SettingsLayer("marker", {"handler": "a.b", "timeout": 7}),
            SettingsLayer("call", {"handler": None}),
        )
        assert (config.handler, config.timeout, config.memory_size) == ("a.b", 7, 256)
        assert [
            config.source_of(name) for name in ("handler", "timeout", "memory_size", "region")
        ] == [
            "marker",
            "marker",
            "ini",
            "the built-in default",
        ]

    def test_environment_is_merged_key_by_key(self):
        config = FunctionConfig._resolve(
            SettingsLayer("ini", {"environment": {"STAGE": "dev", "TABLE": "a"}}),
            SettingsLayer("call", {"handler": "a.b", "environment": {"TABLE": "b"}}),
        )
        assert config.environment == {"STAGE": "dev", "TABLE": "b"}
        assert config.source_of("environment.STAGE") == "ini"
        assert config.source_of("environment.TABLE") == "call"

    def test_a_value_that_a_later_layer_replaces_is_checked_too(self):
        with pytest.raises(ConfigError, match="from ini"):
            FunctionConfig._resolve(
                SettingsLayer("ini", {"timeout": 0}),
                SettingsLayer("call", {"handler": "a.b", "timeout": 5}),
            )

    def test_relative_paths_start_at_the_layers_directory(self, tmp_path):
        (tmp_path / "code").mkdir()
        (tmp_path / "layer").mkdir()
        values = {"handler": "a.b", "code_dir": "code", "layers": ["layer"]}
        config = FunctionConfig._resolve(SettingsLayer("ini", values, tmp_path))
        assert (config.code_dir, config.layers) == (tmp_path / "code", (tmp_path / "layer",))

    def test_relative_paths_start_at_the_current_directory_otherwise(self, tmp_path, monkeypatch):
        (tmp_path / "code").mkdir()
        monkeypatch.chdir(tmp_path)
        assert FunctionConfig("a.b", code_dir="./code").code_dir == tmp_path / "code"

    def test_a_zip_archive_is_not_a_directory(self, tmp_path):
        (tmp_path / "layer.zip").touch()
        with pytest.raises(ConfigError, match="is a file, not a directory; unpack the archive"):
            FunctionConfig("a.b", layers=[tmp_path / "layer.zip"])

    @pytest.mark.parametrize("setting", ["code_dir", "layers"])
    def test_a_directory_without_permission_to_read(self, tmp_path, monkeypatch, setting):
        # Root may read any directory.
        monkeypatch.setattr("os.access", lambda path, mode: path != tmp_path)
        value = tmp_path if setting == "code_dir" else [tmp_path]
        with pytest.raises(
            ConfigError,
            match=rf"'{tmp_path}' cannot be read: this user lacks the permission \(from",
        ):
            FunctionConfig("a.b", **{setting: value})

    def test_a_path_without_permission_to_look_it_up(self, tmp_path, monkeypatch):
        def refuse(path, **keywords):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

        monkeypatch.setattr("os.stat", refuse)
        for settings in (
            {"code_dir": tmp_path},
            {"layers": [tmp_path]},
            {"extensions": [tmp_path]},
        ):
            with pytest.raises(ConfigError, match=r"cannot be reached: Permission denied \(from"):
                FunctionConfig("a.b", **settings)

    def test_the_source_of_an_unknown_setting_is_an_error(self):
        with pytest.raises(ConfigError, match="did you mean 'timeout'"):
            FunctionConfig("a.b").source_of("time_out")


class TestValue:
    def test_a_configuration_is_frozen_and_slotted(self):
        config = FunctionConfig("a.b")
        with pytest.raises(dataclasses.FrozenInstanceError):
            config.timeout = 4
        assert not hasattr(config, "__dict__")

    def test_later_changes_of_the_arguments_have_no_effect(self):
        variables = {"AB": "1"}
        config = FunctionConfig("a.b", environment=variables)
        variables["AB"] = "2"
        assert config.environment == {"AB": "1"}

    def test_equality_does_not_depend_on_sources(self):
        assert FunctionConfig("a.b", timeout=4) == FunctionConfig._resolve(
            SettingsLayer("x", {"handler": "a.b", "timeout": 4})
        )

    def test_replace_checks_and_keeps_the_other_sources(self):
        config = FunctionConfig._resolve(
            SettingsLayer("ini", {"memory_size": 256, "environment": {"AB": "1"}}),
            SettingsLayer("call", {"handler": "a.b"}),
        )
        changed = config.replace(timeout=9)
        assert (changed.timeout, changed.memory_size, changed.environment) == (9, 256, {"AB": "1"})
        assert (changed.source_of("memory_size"), changed.source_of("environment.AB")) == (
            "ini",
            "ini",
        )
        assert config.replace(environment={}).environment == {}
        with pytest.raises(ConfigError, match="timeout=0 s"):
            config.replace(timeout=0)

    def test_replace_adjusts_the_default_version(self):
        config = FunctionConfig("a.b").replace(initialization_type="snap-start")
        assert config.function_version == "1"

    @pytest.mark.parametrize(
        "copied",
        [copy.copy, copy.deepcopy, lambda c: pickle.loads(pickle.dumps(c)), dataclasses.replace],
    )
    def test_a_configuration_can_be_copied_and_pickled(self, copied):
        config = FunctionConfig("a.b", environment={"AB": "1"}, layers=[HERE], code_dir=HERE)
        assert copied(config) == config

    def test_the_repr_has_the_settings_only(self):
        assert "timeout=4" in repr(FunctionConfig("a.b", timeout=4))
        assert "_sources" not in repr(FunctionConfig("a.b"))


REAL_CREDENTIALS = """
    AWS_ACCESS_KEY AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SECRET_KEY AWS_SESSION_TOKEN
    AWS_SECURITY_TOKEN AWS_PROFILE AWS_DEFAULT_PROFILE AWS_CONFIG_FILE AWS_SHARED_CREDENTIALS_FILE
    BOTO_CONFIG AWS_ROLE_ARN AWS_ROLE_SESSION_NAME AWS_WEB_IDENTITY_TOKEN_FILE
    AWS_CONTAINER_CREDENTIALS_FULL_URI AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
    AWS_CONTAINER_AUTHORIZATION_TOKEN AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE AWS_SSO_SESSION
    AWS_SSO_ACCOUNT_ID AWS_CREDENTIAL_EXPIRATION AWS_CREDENTIAL_FILE AWS_BEARER_TOKEN_BEDROCK
    AWS_EC2_METADATA_SERVICE_ENDPOINT AWS_LOGIN_CACHE_DIRECTORY
""".split()


class TestVariables:
    @staticmethod
    def variables(outside=(), **settings):
        return function_variables(
            FunctionConfig("app.handler", **settings),
            outside=dict(outside),
            log_stream_name="2026/11/23/[$LATEST]abc",
            task_root=Path("/var/task"),
        )

    def test_the_documented_variables_are_set(self):
        variables = self.variables(
            memory_size=256, function_name="orders", region="eu-west-1", runtime="python3.13"
        )
        assert variables == {
            "_HANDLER": "app.handler",
            "AWS_ACCESS_KEY_ID": variables["AWS_ACCESS_KEY_ID"],
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "AWS_LAMBDA_FUNCTION_NAME": "orders",
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/orders",
            "AWS_LAMBDA_LOG_STREAM_NAME": "2026/11/23/[$LATEST]abc",
            "AWS_LAMBDA_METADATA_API": NO_LISTENER,
            "AWS_LAMBDA_METADATA_TOKEN": "",
            "AWS_LAMBDA_RUNTIME_API": NO_LISTENER,
            "AWS_REGION": "eu-west-1",
            "AWS_SECRET_ACCESS_KEY": variables["AWS_SECRET_ACCESS_KEY"],
            "AWS_SESSION_TOKEN": variables["AWS_SESSION_TOKEN"],
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
            "AWS_XRAY_DAEMON_ADDRESS": "169.254.79.129:2000",
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "LAMBDA_TASK_ROOT": "/var/task",
            "TZ": ":UTC",
        }

    @pytest.mark.parametrize("name", REAL_CREDENTIALS)
    def test_real_credentials_are_left_out(self, name):
        assert "real" not in self.variables({name: "real"}).values()

    @pytest.mark.parametrize(
        "name", [*sorted(RESERVED_VARIABLES), "AWS_LAMBDA_LOG_LEVEL", "_LAMBDA_TELEMETRY_LOG_FD"]
    )
    def test_variables_of_an_outer_lambda_are_left_out(self, name):
        assert self.variables({name: "outer"}).get(name) != "outer"

    @pytest.mark.parametrize(
        "name",
        ["PATH", "PYTHONPATH", "LANG", "LD_LIBRARY_PATH", "AWS_ENDPOINT_URL", "POWERTOOLS_DEV"],
    )
    def test_other_variables_of_the_machine_stay(self, name):
        assert self.variables({name: "mine"})[name] == "mine"

    def test_variables_of_the_setting_environment_win(self):
        variables = self.variables(
            {"TABLE": "outside"}, environment={"TABLE": "own", "TZ": "Europe/Paris"}
        )
        assert (variables["TABLE"], variables["TZ"]) == ("own", "Europe/Paris")

    def test_snap_start_has_no_log_names_and_no_session_token(self):
        variables = self.variables(initialization_type="snap-start")
        absent = {"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_SESSION_TOKEN"}
        assert not absent & set(variables)
        assert variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith(f"http://{NO_LISTENER}/")
        assert variables["AWS_LAMBDA_FUNCTION_VERSION"] == "1"

    def test_log_settings_have_variables_where_they_differ_from_the_default(self):
        assert not {"AWS_LAMBDA_LOG_FORMAT", "AWS_LAMBDA_LOG_LEVEL"} & set(self.variables())
        variables = self.variables(log_format="JSON", application_log_level="DEBUG")
        assert (variables["AWS_LAMBDA_LOG_FORMAT"], variables["AWS_LAMBDA_LOG_LEVEL"]) == (
            "JSON",
            "DEBUG",
        )

    def test_a_log_variable_of_the_setting_environment_wins(self):
        variables = self.variables(log_format="JSON", environment={"AWS_LAMBDA_LOG_FORMAT": "odd"})
        assert variables["AWS_LAMBDA_LOG_FORMAT"] == "odd"

    def test_the_trace_id_is_left_out(self):
        assert "_X_AMZN_TRACE_ID" not in self.variables({"_X_AMZN_TRACE_ID": "outer"})

    def test_nothing_listens_at_the_address_of_an_api_without_server(self):
        host, port = NO_LISTENER.split(":")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)

    def test_an_sdk_finds_the_fake_credentials_and_no_profile(self, tmp_path, monkeypatch):
        botocore_session = pytest.importorskip("botocore.session")
        aws = tmp_path / ".aws"
        aws.mkdir()
        (aws / "credentials").write_text(
            "[default]\naws_access_key_id = real\naws_secret_access_key = real\n"
        )
        (aws / "config").write_text(
            "[default]\nregion = eu-north-1\n[profile work]\nregion = eu-north-1\n"
        )
        for name in list(os.environ):
            monkeypatch.delenv(name)
        for name, value in self.variables({"HOME": str(tmp_path), "AWS_PROFILE": "work"}).items():
            monkeypatch.setenv(name, value)
        session = botocore_session.Session()
        assert session.get_credentials().access_key.endswith("EXAMPLE")
        assert session.get_config_variable("region") == "us-east-1"
        assert session.available_profiles == []

    def test_the_recorded_variables_of_the_real_runtime_are_set(self):
        """The real runtime adds the trace id alone (recorded case ``proc_env_seen``)."""
        recorded = HERE.parent / "conformance" / "data" / "cases-py3.11.json"
        case = next(c for c in json.loads(recorded.read_text()) if c["id"] == "proc_env_seen")
        assert set(case["expected"][0]["payload"]) - {"_X_AMZN_TRACE_ID"} <= set(self.variables())


class TestVariablesTakenOut:
    def test_none_takes_a_variable_of_a_lower_source_out(self):
        config = FunctionConfig._resolve(
            SettingsLayer(
                "the ini file", {"handler": "a.b", "environment": {"AB": "1", "CD": "2"}}
            ),
            SettingsLayer("the call", {"environment": {"AB": None}}),
        )
        assert config.environment == {"CD": "2"}
        assert config.source_of("environment.AB") == "the call"
        assert config.replace(timeout=5).environment == {"CD": "2"}
        assert config != config.replace(environment={"CD": "2"})

    def test_a_higher_source_sets_it_again(self):
        config = FunctionConfig._resolve(
            SettingsLayer("the marker", {"handler": "a.b", "environment": {"AB": None}}),
            SettingsLayer("the call", {"environment": {"AB": "1"}}),
        )
        assert config.environment == {"AB": "1"}

    @pytest.mark.parametrize("again", [False, True])
    def test_it_hides_the_variable_of_the_developer(self, environment, monkeypatch, again):
        monkeypatch.setenv("TABLE", "of the developer")
        env = environment(
            "import os\nAT = os.environ.get('TABLE')\n"
            "def handler(event, context): return [AT, os.getenv('TABLE')]",
            environment={"TABLE": None},
        )
        if again:
            env.initialize()
            env.reset()
        assert env.invoke().payload == [None, None]
        env.close()
        import os

        assert os.environ["TABLE"] == "of the developer"

    def test_what_lambda_sets_stays(self, environment, monkeypatch):
        source = "import os\ndef handler(event, context): return os.environ['TZ']"
        assert environment(source, environment={"TZ": None}).invoke().payload == ":UTC"


class TestPathsOfLayers:
    def test_bin_and_lib_come_last(self, environment, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", "/usr/bin")
        monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)
        for name in ("a/bin", "a/lib", "b/bin", "c/python"):
            (tmp_path / name).mkdir(parents=True)
        layers = [tmp_path / name for name in "abc"]
        env = environment(
            "import os\ndef handler(event, context):\n"
            "    return [os.environ['PATH'], os.environ.get('LD_LIBRARY_PATH')]",
            layers=layers,
        )
        path, libraries = env.invoke().payload
        assert path == f"/usr/bin:{tmp_path / 'b' / 'bin'}:{tmp_path / 'a' / 'bin'}"
        assert libraries == str(tmp_path / "a" / "lib")

    def test_a_tool_of_a_layer_is_found(self, environment, tmp_path):
        tool = tmp_path / "layer" / "bin" / "greet"
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\necho hello\n")
        tool.chmod(0o755)
        env = environment(
            "import subprocess\ndef handler(event, context):\n"
            "    return subprocess.run(['greet'], capture_output=True, text=True).stdout",
            layers=[tmp_path / "layer"],
        )
        assert env.invoke().payload == "hello\n"
