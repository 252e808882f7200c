"""Output of function code is in the log, however pytest captures: as files, as objects, not at all.

Without pytest, the tests of isolation expect the same.
"""

from __future__ import annotations

import pytest

APP = r"""
    import sys, threading, warnings, _thread, time
    warnings.formatwarning = lambda message, *_: f"formatted: {message}\n"
    class Object:
        def __del__(self): raise ValueError("in the object")
    def on_thread(): raise ValueError("on a thread")
    began = []
    def low():
        began.append(1)
        raise ValueError("on a low thread")
    def handler(event, context):
        warnings.warn("careful")
        Object()
        thread = threading.Thread(target=on_thread); thread.start(); thread.join()
        others = _thread._count()
        _thread.start_new_thread(low, ())
        while not began or _thread._count() > others: time.sleep(0.001)
        sys.stdout = sys.__stdout__
        print("through the stream of the start")
        sys.stderr.write("caf\udce9\n")
        sys.excepthook = lambda *_: print("the hook", file=sys.stderr)
        raise GeneratorExit
"""
TEST = """
    def test_it(lambda_lifecycle):
        env = lambda_lifecycle("app.handler")
        env.invoke(check=False)
        for text in (
            "formatted: careful\\n", "ValueError: in the object\\n", "ValueError: on a thread\\n",
            "ValueError: on a low thread\\n", "through the stream of the start\\n",
            "caf\\\\udce9\\n", "the hook\\n",
        ):
            assert env.log.count(text) == 1, text
        assert env.log.count("Traceback (most recent call last)") == 3
"""
IGNORED = ["PytestUnraisableExceptionWarning", "PytestUnhandledThreadExceptionWarning"]


@pytest.mark.parametrize(
    "options",
    [["--capture=fd"], ["--capture=sys"], ["-s"], ["-p", "xdist", "-n", "1"]],
    ids=" ".join,
)
def test_everything_is_in_the_log(pytester, options):
    if "xdist" in options:
        pytest.importorskip("xdist")
    pytester.makepyfile(app=APP)
    pytester.makepyfile(test_it=TEST)
    warned = [f"-Wignore::pytest.{name}" for name in IGNORED]
    result = pytester.runpytest_subprocess(*options, *warned)
    result.assert_outcomes(passed=1, warnings=1)  # pytest has recorded the warning, too


SURROGATES = r"""
    import logging, sys, threading, warnings
    class Object:
        def __del__(self): raise ValueError("caf\udce9")
    def raise_it(): raise ValueError("caf\udce9")
    def handler(event, context):
        text = "caf\udce9"
        if event == "raise": raise ValueError(text)
        if event == "exit": sys.exit(text)
        if event == "local": 1/0
        if event == "cause":
            try: raise ValueError(text)
            except ValueError as error: raise KeyError("x") from error
        if event == "warn": warnings.warn(text)
        if event == "del": Object()
        if event == "thread":
            thread = threading.Thread(target=raise_it); thread.start(); thread.join()
        if event == "record":
            logger = logging.getLogger("svc")
            logger.addHandler(logging.StreamHandler())
            logging.getLogger().handlers[0].setLevel(60)
            logger.error(text)
        sys.stderr.write(text)
"""
EVENTS = "raise exit local cause warn del thread record write".split()


@pytest.mark.parametrize(
    "options", [["-p", "xdist", "-n", "1"], ["--junitxml=report.xml"]], ids=" ".join
)
def test_lone_surrogates_do_not_end_the_session(pytester, options):
    if "xdist" in options:
        pytest.importorskip("xdist")
    pytester.makepyfile(app=SURROGATES)
    pytester.makepyfile(
        test_it=f"""
            import pytest
            @pytest.mark.parametrize("event", {EVENTS})
            def test_it(lambda_lifecycle, event):
                env = lambda_lifecycle("app.handler")
                env.invoke(event)
                assert env.log == ""
            def test_another(): pass
        """
    )
    result = pytester.runpytest_subprocess("--showlocals", *options)
    result.assert_outcomes(failed=len(EVENTS), passed=1, warnings=1)
    assert r"ValueError: caf\udce9" in result.stdout.str()
