"""Tools of the test that begin before an environment enters, and end while it is entered.

They remove their changes; the environment must not restore these when it leaves.
"""

import textwrap

import pytest


def passes(pytester, **files):
    tests = files.pop("tests")
    pytester.makepyfile(**{"quiet": "def handler(event, context): return 1", **files})
    pytester.makepyfile(
        test_it="import logging, os, pytest, socket, sys, types\nfrom unittest import mock\n"
        + tests
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:randomly")
    outcomes = result.parseoutcomes()
    assert set(outcomes) <= {"passed", "warning", "warnings"}, result.stdout.str()


@pytest.mark.parametrize(
    "order", ["monkeypatch, lambda_lifecycle", "lambda_lifecycle, monkeypatch"]
)
def test_a_stub_in_sys_modules(pytester, order):
    passes(
        pytester,
        user="import colorsys\ndef handler(event, context): return colorsys.NAME",
        tests=textwrap.dedent(f"""
            import colorsys, user
            stub = types.SimpleNamespace(NAME="stub")

            def test_stubbed({order}):
                monkeypatch.setitem(sys.modules, "colorsys", stub)
                assert lambda_lifecycle("user.handler").invoke().payload == "stub"

            def test_stubbed_for_a_while(lambda_lifecycle):
                with mock.patch.dict("sys.modules", colorsys=stub):
                    env = lambda_lifecycle("user.handler")
                    env.invoke()
                assert env.invoke().payload == "stub"
                assert env.module is not user
                assert sys.modules["colorsys"] is colorsys

            def test_after():
                assert sys.modules["colorsys"] is colorsys
                assert sys.modules["user"] is user
        """),
    )


def test_patch_dict_of_sys_modules_around_each_test(pytester):
    passes(
        pytester,
        tests=textwrap.dedent("""
            @pytest.fixture(autouse=True)
            def clean_modules():
                with mock.patch.dict("sys.modules"):
                    yield

            def test_one(lambda_lifecycle): lambda_lifecycle("quiet.handler").initialize()
            def test_two(lambda_lifecycle): lambda_lifecycle("quiet.handler").initialize()
            def test_three(lambda_lifecycle, lambda_clock):
                lambda_lifecycle("quiet.handler").invoke()
            def test_four(lambda_lifecycle):
                assert lambda_lifecycle("quiet.handler").invoke().payload == 1
        """),
    )


def test_patch_dict_of_os_environ_with_an_older_trace_id(pytester):
    passes(
        pytester,
        tests=textwrap.dedent("""
            @pytest.fixture(scope="module")
            def env(module_lambda_lifecycle): return module_lambda_lifecycle("quiet.handler")

            def test_one(env): env.invoke()

            def test_two(env):
                env.invoke()
                with mock.patch.dict(os.environ, {"OWN": "1"}):
                    env.invoke()

            def test_after(): assert "_X_AMZN_TRACE_ID" not in os.environ
        """),
    )


@pytest.mark.parametrize("order", ["lambda_lifecycle, guarded", "guarded, lambda_lifecycle"])
def test_guards_of_sockets(pytester, order):
    """pytest-socket removes its guards only where it finds them."""
    passes(
        pytester,
        pytest_guard=textwrap.dedent("""
            import contextlib, socket
            true_getaddrinfo, true_connect = socket.getaddrinfo, socket.socket.connect

            def guarded(*arguments): raise RuntimeError("no sockets")

            @contextlib.contextmanager
            def guard():
                socket.getaddrinfo = socket.socket.connect = guarded
                yield
                if socket.getaddrinfo is guarded: socket.getaddrinfo = true_getaddrinfo
                socket.socket.connect = true_connect
        """),
        tests=textwrap.dedent(f"""
            import pytest_guard
            @pytest.fixture
            def guarded():
                with pytest_guard.guard():
                    yield

            def test_guarded({order}): lambda_lifecycle("quiet.handler").invoke()

            def test_after():
                assert socket.getaddrinfo is pytest_guard.true_getaddrinfo
                assert socket.socket.connect is pytest_guard.true_connect
        """),
    )


@pytest.mark.parametrize("order", ["lambda_lifecycle, faked", "faked, lambda_lifecycle"])
def test_a_finder_that_is_popped(pytester, order):
    """As pyfakefs does."""
    passes(
        pytester,
        tests=textwrap.dedent(f"""
            class Finder:
                __module__ = "pyfakefs.fake_filesystem_unittest"
                def find_spec(self, *arguments): return None

            before = list(sys.meta_path)

            @pytest.fixture
            def faked():
                sys.meta_path.insert(0, Finder())
                yield
                sys.meta_path.pop(0)

            def test_faked({order}): lambda_lifecycle("quiet.handler").invoke()
            def test_after(): assert sys.meta_path == before
        """),
    )


def test_assert_logs(pytester):
    passes(
        pytester,
        noisy=textwrap.dedent("""
            import logging
            log = logging.getLogger(__name__)
            log.setLevel("INFO")
            def handler(event, context):
                log.info("info")
                log.warning("warning")
                logging.getLogger("other").info("other")
        """),
        tests=textwrap.dedent("""
            import unittest

            class TestLogs(unittest.TestCase):
                @pytest.fixture(autouse=True)
                def make(self, lambda_lifecycle):
                    self.env = lambda_lifecycle("noisy.handler")

                def tearDown(self):
                    self.env.invoke()  # the function's own handlers are there again
                    assert "warning" in self.env.invocations[-1].log

                def test_of_a_logger(self):
                    with self.assertLogs("noisy", "INFO") as logs:
                        self.env.invoke()
                    assert logs.output == ["INFO:noisy:info", "WARNING:noisy:warning"]

                def test_of_the_root(self):
                    with self.assertLogs(level="INFO") as logs:
                        self.env.invoke()
                    assert logs.output == [
                        "INFO:noisy:info", "WARNING:noisy:warning", "INFO:other:other"
                    ]

                def test_none(self):
                    with pytest.raises(AssertionError, match="noisy:info"):
                        with self.assertNoLogs("noisy", "INFO"):
                            self.env.invoke()

            def test_after():
                for logger in (logging.root, logging.getLogger("noisy")):
                    kinds = [type(one).__module__ for one in logger.handlers]
                    assert [kind for kind in kinds if "pytest" not in kind] == []
                    assert logger.propagate
                assert (logging.root.level, logging.getLogger("noisy").level) == (30, 0)
        """),
    )


@pytest.mark.parametrize("order", ["lambda_lifecycle, sink", "sink, lambda_lifecycle"])
def test_a_handler_of_the_root_logger(pytester, order):
    passes(
        pytester,
        tests=textwrap.dedent(f"""
            handler = logging.NullHandler()

            @pytest.fixture
            def sink():
                logging.root.addHandler(handler)
                yield
                logging.root.removeHandler(handler)

            def test_sink({order}): lambda_lifecycle("quiet.handler").invoke()
            def test_after(): assert handler not in logging.root.handlers
        """),
    )
