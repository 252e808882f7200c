"""The modules of the real client, `awslambdaric`, as function code finds them."""

from __future__ import annotations

import sys

import pytest
import simplejson

from pytest_lambda_lifecycle import FunctionLog, Phase

NAMES = [
    "awslambdaric",
    "awslambdaric.bootstrap",
    "awslambdaric.lambda_config",
    "awslambdaric.lambda_context",
    "awslambdaric.lambda_literals",
    "awslambdaric.lambda_runtime_client",
    "awslambdaric.lambda_runtime_exception",
    "awslambdaric.lambda_runtime_log_utils",
    "awslambdaric.lambda_runtime_marshaller",
    "runtime_client",
]
"""Those that `awslambdaric` 4.2.2 has loaded when it imports a handler."""


def written(phase: Phase) -> str:
    """Return what the function has written."""
    return "".join(event.text for event in phase.events if isinstance(event, FunctionLog))


def client_modules() -> dict[str, object]:
    return {
        name: module
        for name, module in sys.modules.items()
        if name.partition(".")[0] in ("awslambdaric", "runtime_client")
    }


def test_they_are_there_at_the_start_and_no_others(environment):
    before = client_modules()
    env = environment(f"""
        import sys
        AT_START = sorted(
            name for name in sys.modules
            if name.partition(".")[0] in ("awslambdaric", "runtime_client", "snapshot_restore_py")
            and name not in {[*before]!r}
        )
        def handler(event, context):
            import awslambdaric, importlib.util
            from awslambdaric import bootstrap
            return [
                AT_START,
                awslambdaric.__version__,
                bootstrap is sys.modules["awslambdaric.bootstrap"],
                importlib.util.find_spec("awslambdaric.bootstrap").name,
                hasattr(bootstrap, "no_such_name"),
            ]
    """)
    expected = [name for name in NAMES if name not in before]
    assert env.invoke().payload == [expected, "4.2.2", True, "awslambdaric.bootstrap", False]
    env.close()
    assert client_modules() == before


def test_the_test_has_its_own_again(environment):
    real = pytest.importorskip("awslambdaric.lambda_context")
    env = environment("""
        import awslambdaric.lambda_context as found
        def handler(event, context): return [id(found), isinstance(context, found.LambdaContext)]
    """)
    number, is_instance = env.invoke().payload
    assert is_instance
    assert number != id(real)
    env.close()
    assert sys.modules["awslambdaric.lambda_context"] is real


def test_the_classes_have_their_real_names(environment):
    env = environment("""
        import logging, sys
        def handler(event, context):
            root = logging.getLogger().handlers[0]
            objects = (
                context, context.identity, sys.stdout, sys.stderr, root, root.filters[0],
                root.log_sink, root.formatter,
            )
            return [f"{type(one).__module__}.{type(one).__qualname__}" for one in objects]
    """)
    assert env.invoke().payload == [
        "awslambdaric.lambda_context.LambdaContext",
        "awslambdaric.lambda_context.CognitoIdentity",
        "awslambdaric.bootstrap.Unbuffered",
        "awslambdaric.bootstrap.Unbuffered",
        "awslambdaric.bootstrap.LambdaLoggerHandler",
        "awslambdaric.bootstrap.LambdaLoggerFilter",
        "awslambdaric.bootstrap.StandardLogSink",
        "logging.Formatter",
    ]


def test_a_context_can_be_pickled(environment):
    env = environment("""
        import copy, pickle
        def handler(event, context):
            twin = pickle.loads(pickle.dumps(context))
            return [repr(twin) == repr(context), type(twin) is type(context),
                    repr(copy.deepcopy(context)) == repr(context),
                    twin.client_context.custom, twin.client_context.client.app_title]
    """)
    sent = {"custom": {"a": 1}, "client": {"app_title": "t"}}
    assert env.invoke(client_context=sent).payload == [True, True, True, {"a": 1}, "t"]


def test_function_code_makes_a_context_of_its_own(environment):
    env = environment("""
        from awslambdaric.lambda_context import CognitoIdentity, LambdaContext, make_obj_from_dict
        def handler(event, context):
            own = LambdaContext("id", {"custom": 1}, {"cognitoIdentityId": "c"}, 5, "arn")
            bare = make_obj_from_dict(CognitoIdentity, {"cognito_identity_id": "x"})
            return [own.aws_request_id, own.client_context.custom, own.client_context.client,
                    own.identity.cognito_identity_id, own.get_remaining_time_in_millis(),
                    repr(bare), hasattr(CognitoIdentity(), "cognito_identity_id")]
    """)
    assert env.invoke().payload == [
        *("id", 1, None, "c", 0),
        "CognitoIdentity([cognito_identity_id=x,cognito_identity_pool_id=None])",
        False,
    ]


class TestTheLogSink:
    """What function code finds as ``log_sink`` of the handler on the root logger."""

    def test_function_code_writes_to_it(self, environment):
        env = environment("""
            import logging
            def handler(event, context):
                sink = logging.getLogger().handlers[0].log_sink
                sink.log("one\\n", frame_type=b"kind")
                sink.log("two\\n", b"kind")
                sink.log_error(["three", "four"])
                with sink as same:
                    return [same is sink, vars(sink), type(sink)().log("five\\n")]
        """)
        invoked = env.invoke()
        assert invoked.payload == [True, {}, None]
        assert written(invoked) == "one\ntwo\nthree\rfour\nfive\n"

    @pytest.mark.parametrize(
        ("settings", "kind"),
        [
            ({}, []),
            ({"application_log_level": "INFO"}, [0xA55A0013]),
            ({"log_format": "JSON"}, [0xA55A0012]),
        ],
    )
    def test_it_gets_the_kind_of_each_record(self, environment, settings, kind):
        env = environment(
            """
            import logging
            kinds = []
            class Sink:
                def log(self, msg, **keywords): kinds.extend(keywords.values())
            def handler(event, context):
                root = logging.getLogger().handlers[0]
                root.log_sink = Sink()
                logging.warning("x")
                return [int.from_bytes(kind, "big") for kind in kinds]
            """,
            **settings,
        )
        assert env.invoke().payload == kind

    def test_a_level_that_is_no_number_raises_under_a_level_variable(self, environment):
        code = """
            import logging
            def handler(event, context):
                record = logging.makeLogRecord({"levelno": None, "levelname": "X", "msg": "text"})
                logging.getLogger().handlers[0].handle(record)
        """
        env = environment(code)
        assert written(env.invoke()).endswith("\ttext\n")
        for settings in ({"application_log_level": "INFO"}, {"log_format": "JSON"}):
            failed = environment(code, **settings).invoke(check=False)
            assert failed.error["errorMessage"] == (
                "'>' not supported between instances of 'NoneType' and 'int'"
            )

    def test_a_change_of_its_class_acts_and_ends_with_the_process(self, environment):
        env = environment("""
            import logging, sys
            def handler(event, context):
                if event == "change":
                    sink = logging.getLogger().handlers[0].log_sink
                    type(sink).log_error = lambda self, lines: sys.stdout.write(f"mine {lines[0]}")
                    type(sink).extra = 1
                raise ValueError("x")
        """)
        assert written(env.invoke("change", check=False)) == "mine [ERROR] ValueError: x"
        assert written(env.invoke(check=False)) == "mine [ERROR] ValueError: x"
        env.reset()
        assert written(env.invoke(check=False)).startswith("[ERROR] ValueError: x\rTraceback")


class TestEncoding:
    """Function code replaces the marshaller, or a method of the encoder."""

    CODE = """
        import simplejson
        from decimal import Decimal
        class Own: pass
        def handler(event, context):
            if event == "simplejson":
                simplejson.JSONEncoder.default = lambda self, one: f"S {type(one).__name__}"
            if event == "client":
                from awslambdaric.lambda_runtime_marshaller import Encoder
                Encoder.default = lambda self, one: f"C {type(one).__name__}"
            if event == "marshaller":
                from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
                LambdaRuntimeClient.marshaller = Marshaller()
            return {"own": Own()}
        class Marshaller:
            def unmarshal_request(self, body, content_type): return body.decode() + content_type
            def marshal_response(self, result): return repr(type(result)), "text/x-repr"
    """

    def test_a_default_of_simplejson_is_used(self, environment):
        before = simplejson.JSONEncoder.default
        env = environment(self.CODE)
        refused = env.invoke(check=False)
        assert refused.error["errorMessage"] == (
            "Unable to marshal response: Object of type Own is not JSON serializable"
        )
        assert env.invoke("simplejson").payload == {"own": "S Own"}
        assert env.invoke().payload == {"own": "S Own"}
        env.reset()
        assert env.invoke(check=False).error_type == "Runtime.MarshalError"
        env.close()
        assert simplejson.JSONEncoder.default is before

    def test_a_default_of_the_client_is_used(self, environment):
        env = environment(self.CODE)
        assert env.invoke("client").payload == {"own": "C Own"}
        other = environment(self.CODE)
        assert other.invoke(check=False).error_type == "Runtime.MarshalError"
        assert env.invoke().payload == {"own": "C Own"}
        env.reset()
        assert env.invoke(check=False).error_type == "Runtime.MarshalError"

    def test_a_marshaller_is_used_from_the_response_on(self, environment):
        env = environment(self.CODE)
        for event in ("marshaller", None):
            outcome = env.invoke(event).outcome
            assert (outcome.body, outcome.content_type) == (b"<class 'dict'>", "text/x-repr")
        env.reset()
        assert env.invoke(check=False).error_type == "Runtime.MarshalError"

    def test_a_marshaller_of_init_decodes_the_first_event(self, environment):
        env = environment("""
            from awslambdaric.lambda_runtime_client import LambdaRuntimeClient
            class Marshaller(type(LambdaRuntimeClient.marshaller)):
                def unmarshal_request(self, body, content_type):
                    return [body.decode(), content_type]
            LambdaRuntimeClient.marshaller = Marshaller()
            def handler(event, context): return event
        """)
        assert env.invoke(b"x").payload == ["x", "application/json"]

    def test_who_looks_into_these_modules_changes_nothing(self, environment):
        code = """
            import datetime
            from decimal import Decimal
            {look}
            def handler(event, context):
                if event == "refused": return datetime.date(2026, 1, 1)
                if event == "error": raise ValueError("é")
                if event == "bytes": return b"x"
                return {{"a": Decimal("1.10"), "b": Decimal("NaN"), "c": "é", "d": (1, None)}}
        """
        look = "from awslambdaric import bootstrap, lambda_runtime_client; bootstrap.Unbuffered"
        for settings in ({}, {"runtime": "python3.11", "log_format": "JSON"}):
            plain, looking = (
                environment(code.format(look=text), **settings) for text in ("pass", look)
            )
            for event in ("refused", "error", "bytes", None, b"{"):
                posted = [
                    env.invoke(event, check=False, request_id="1").outcome.body
                    for env in (plain, looking)
                ]
                assert posted[0] == posted[1]


def test_function_code_raises_a_fault_of_the_runtime(environment):
    env = environment("""
        from awslambdaric.lambda_runtime_exception import FaultException
        def handler(event, context):
            raise FaultException("My.Type", "words", ["entry\\n"] if event else None)
    """)
    failed = env.invoke(1, check=False)
    assert (failed.error_type, failed.error["stackTrace"]) == ("My.Type", ["entry\n"])
    assert written(failed) == "[ERROR] My.Type: words\rTraceback (most recent call last):\rentry\n"
    assert env.invoke(check=False).error["stackTrace"] == []


def test_function_code_loads_a_handler_as_the_client_does(environment, write):
    """A vendor's wrapper loads the function that it wraps so."""
    write("orders/served.py", "def handler(event, context): return 'served'")
    env = environment("""
        from awslambdaric.bootstrap import _get_handler
        wrapped = _get_handler("orders/served.handler")
        def handler(event, context):
            if event is None:
                return wrapped(event, context)
            try:
                _get_handler(event)
            except Exception as error:
                return [error.exception_type, error.msg, error.trace]
    """)
    assert env.invoke(None).payload == "served"
    assert env.invoke("nope").payload == [
        "Runtime.MalformedHandlerName",
        "Bad handler 'nope': not enough values to unpack (expected 2, got 1)",
        None,
    ]
    assert env.invoke("app.nope").payload[:2] == [
        "Runtime.HandlerNotFound",
        "Handler 'nope' missing on module 'app'",
    ]


def test_function_code_replaces_the_function_that_logs_errors(environment):
    env = environment("""
        from awslambdaric import bootstrap
        bootstrap.log_error = lambda error, sink: sink.log(error["errorType"])
        def handler(event, context): raise ValueError("x")
    """)
    assert written(env.invoke(check=False)) == "ValueError"
    other = environment("def handler(event, context): raise ValueError('x')")
    assert written(other.invoke(check=False)).startswith("[ERROR] ValueError: x\r")


def test_function_code_calls_functions_of_the_client(environment):
    env = environment("""
        import sys
        def handler(event, context):
            from awslambdaric import bootstrap
            try: raise ValueError("x")
            except ValueError: fault = bootstrap.build_fault_result(sys.exc_info(), None)
            entry = ("f.py", 1, "f", "text")
            own = bootstrap.create_lambda_context('{"custom": 1}', None, 5, "id", "arn", "t")
            return [
                bootstrap._GLOBAL_AWS_REQUEST_ID, bootstrap._GLOBAL_TENANT_ID,
                bootstrap.make_error("", "", None), fault["errorType"], len(fault["stackTrace"]),
                bootstrap.replace_line_indentation("  a b", " ", "-"),
                bootstrap.make_xray_fault("T", "m", "/", [entry])["exceptions"][0]["stack"],
                own.client_context.custom, own.tenant_id, bootstrap.make_error.__module__,
            ]
    """)
    for request_id in ("one", "two"):
        assert env.invoke(request_id=request_id, tenant_id="blue").payload == [
            *(request_id, "blue"),
            {"errorMessage": "", "errorType": "", "requestId": "", "stackTrace": []},
            *("ValueError", 1, "--a b"),
            [{"label": "f", "path": "f.py", "line": 1}],
            *(1, "t", "awslambdaric.bootstrap"),
        ]


def test_faults_of_the_marshaller_have_the_arguments_and_the_context_of_the_real_ones(environment):
    env = environment("""
        from awslambdaric.lambda_runtime_marshaller import LambdaMarshaller
        def fault(call, value):
            try: call(value)
            except Exception as error:
                return [type(error).__name__, *error.args[2:], error.__cause__ is None]
        def handler(event, context):
            marshaller = LambdaMarshaller()
            return [
                fault(marshaller.marshal_response, {1}), fault(marshaller.unmarshal_request, b"{")
            ]
    """)
    assert env.invoke().payload == [["FaultException", None, True]] * 2
