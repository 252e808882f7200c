"""Registries of the standard library, and settings that can be read and written."""

from __future__ import annotations

import copyreg
import gc
import mimetypes
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

IMPORTS = (
    "import calendar, copy, copyreg, csv, email.charset, email.policy, gc, http.cookies\n"
    "import importlib.machinery, mimetypes, shutil, sqlite3, sys\n"
    "import resource, tracemalloc, urllib.parse, webbrowser, zoneinfo\n"
    "import xml.dom, xml.etree.ElementTree, xml.sax\n"
    "LIMIT = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
)
CHANGES = {
    "copyreg.pickle(Own, Own)": "len(copyreg.dispatch_table)",
    "csv.register_dialect('own', delimiter=';')": "csv.list_dialects()",
    "email.charset.add_alias('own', 'utf-8')": "email.charset.ALIASES.get('own')",
    "mimetypes.add_type('a/b', '.own')": "mimetypes.guess_type('x.own')",
    "sqlite3.register_adapter(Own, str)": "len(sqlite3.adapters)",
    "sqlite3.register_converter('own', str)": "sqlite3.converters.get('OWN')",
    "shutil.register_archive_format('own', print, [], 'x')": "shutil.get_archive_formats()",
    "urllib.parse.uses_netloc.append('own')": "urllib.parse.uses_netloc",
    "webbrowser.register('own', Own)": "'own' in webbrowser._browsers",
    "xml.dom.registerDOMImplementation('own', Own)": "list(xml.dom.domreg.registered)",
    "xml.etree.ElementTree.register_namespace('own', 'urn:own')": (
        "xml.etree.ElementTree._namespace_map.get('urn:own')"
    ),
    "xml.sax.default_parser_list.append('own')": "xml.sax.default_parser_list",
    "copy._deepcopy_dispatch[Own] = own": "len(copy._deepcopy_dispatch)",
    "email.policy.default.content_manager.add_set_handler(Own, own)": (
        "len(email.policy.default.content_manager.set_handlers)"
    ),
    "email.policy.default.header_factory.map_to_type('own', Own)": (
        "'own' in email.policy.default.header_factory.registry"
    ),
    "http.cookies.Morsel._reserved['own'] = 'own'": "'own' in http.cookies.Morsel._reserved",
    "importlib.machinery.SOURCE_SUFFIXES.append('.own')": "importlib.machinery.SOURCE_SUFFIXES",
    "sys.warnoptions.append('own')": "sys.warnoptions",
    "gc.garbage.append(own)": "len(gc.garbage)",
    "gc.callbacks.append(own)": "[one for one in gc.callbacks if one.__module__ == 'app']",
    "gc.set_debug(gc.DEBUG_SAVEALL)": "gc.get_debug()",
    "tracemalloc.start(7)": "tracemalloc.get_traceback_limit() if tracemalloc.is_tracing() else 0",
    "calendar.setfirstweekday(3)": "calendar.firstweekday()",
    "zoneinfo.reset_tzpath(to=['/own'])": "zoneinfo.TZPATH",
    "sys.set_coroutine_origin_tracking_depth(3)": "sys.get_coroutine_origin_tracking_depth()",
    "sys.set_asyncgen_hooks(firstiter=own)": "sys.get_asyncgen_hooks().firstiter",
    "sys.setprofile(own)": "sys.getprofile()",
    "sys.setdlopenflags(258)": "sys.getdlopenflags()",
    "resource.setrlimit(resource.RLIMIT_NOFILE, (500, LIMIT))": (
        "resource.getrlimit(resource.RLIMIT_NOFILE)"
    ),
}


@pytest.mark.parametrize("when", ["init", "handler"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_registration_of_function_code_does_not_stay(environment, change, when):
    names: dict[str, object] = {}
    exec(IMPORTS, names)
    look = CHANGES[change]

    def read() -> str:
        return repr(eval(look, names))

    before = read()
    env = environment(
        f"{IMPORTS}\nclass Own: pass\ndef own(*_): pass\n{change if when == 'init' else ''}\n"
        f"def handler(event, context):\n    {change if when == 'handler' else 'pass'}\n"
        f"    return repr({look}) != {before!r}"
    )
    for _ in range(2 if when == "init" else 1):
        assert env.invoke().payload is True
        stage.leave()
        assert read() == before
    env.close()
    assert read() == before


LIBRARY = """
    import copyreg, mimetypes
    class Thing: ...
    def reduce(thing): return Thing, ()
    copyreg.pickle(Thing, reduce)
    mimetypes.add_type("text/x-library", ".library")
"""


def test_what_a_shared_library_registers_when_it_is_imported_stays(
    environment, write, tmp_path, monkeypatch
):
    """The next environment imports the library without executing it again."""
    write("../venv/site-packages/library_that_registers.py", LIBRARY)
    monkeypatch.syspath_prepend(str(tmp_path / "venv" / "site-packages"))
    source = """
        import copyreg, mimetypes
        import library_that_registers as library
        copyreg.pickle(type("Own", (), {}), print)
        def handler(event, context):
            return [library.Thing in copyreg.dispatch_table, mimetypes.guess_type("x.library")[0]]
    """
    mimetypes.init()  # otherwise the library would be the first to make the tables
    before = dict(copyreg.dispatch_table)
    try:
        for _ in range(2):
            env = environment(source)
            assert env.invoke().payload == [True, "text/x-library"]
            env.close()
        library = sys.modules["library_that_registers"]
        assert dict(copyreg.dispatch_table) == {**before, library.Thing: library.reduce}
    finally:
        copyreg.dispatch_table.clear()
        copyreg.dispatch_table.update(before)
        mimetypes.types_map.pop(".library", None)
        mimetypes.init()
        sys.modules.pop("library_that_registers", None)


def printed_by(code: str, folder: Path) -> str:
    """Return the output of code that a Python of its own runs."""
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        check=True,
        text=True,
    ).stdout


@pytest.mark.parametrize("name", ["csv", "mimetypes", "sqlite3", "calendar", "zoneinfo"])
def test_a_module_that_function_code_is_the_first_to_import(write, tmp_path, name):
    write("app.py", f"import {name}\ndef handler(event, context): ...")
    code = f"""
        import sys
        from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
        for one in [one for one in sys.modules if one.partition(".")[0].strip("_") == {name!r}]:
            del sys.modules[one]
        with ExecutionEnvironment(FunctionConfig("app.handler", code_dir="task")) as env:
            env.invoke()
        import csv, mimetypes, sqlite3, calendar, zoneinfo
        print(csv.list_dialects(), mimetypes.guess_type("x.txt")[0], len(sqlite3.adapters) > 1)
        print(calendar.firstweekday(), len(zoneinfo.TZPATH) > 0)
    """
    assert printed_by(code, tmp_path) == "['excel', 'excel-tab', 'unix'] text/plain True\n0 True\n"


def test_what_the_test_has_registered_stays(environment):
    def note(phase: str, facts: dict[str, int]) -> None: ...

    gc.callbacks.append(note)
    try:
        env = environment("import gc\ndef handler(event, context): gc.callbacks.clear()")
        env.invoke()
        stage.leave()
        assert note in gc.callbacks
    finally:
        gc.callbacks.remove(note)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="sys.monitoring is new in Python 3.12")
def test_a_tool_of_sys_monitoring(environment):
    env = environment("""
        import sys
        def handler(event, context):
            sys.monitoring.use_tool_id(4, "own")
            sys.monitoring.set_events(4, sys.monitoring.events.CALL)
    """)
    env.invoke()
    env.close()
    monitoring = sys.monitoring  # type: ignore[attr-defined]
    assert monitoring.get_tool(4) is None
    monitoring.use_tool_id(4, "test")
    try:
        assert monitoring.get_events(4) == 0
    finally:
        monitoring.free_tool_id(4)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs sets of processors")
@pytest.mark.skipif(os.cpu_count() == 1, reason="needs two processors")
def test_the_processors_of_the_process(environment):
    before = os.sched_getaffinity(0)
    env = environment("""
        import os
        def handler(event, context):
            if event: os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            return len(os.sched_getaffinity(0))
    """)
    assert env.invoke(True).payload == 1
    stage.leave()
    assert os.sched_getaffinity(0) == before
    assert env.invoke(False).payload == 1
    env.reset()
    assert env.invoke(False).payload == len(before)


@pytest.mark.skipif(os.name != "posix", reason="needs limits")
def test_a_hard_limit_that_function_code_has_lowered_stays(tmp_path):
    """Only root may raise it; the soft one goes as far up as it can."""
    (tmp_path / "app.py").write_text(
        "import resource\n"
        "def handler(event, context): resource.setrlimit(resource.RLIMIT_NOFILE, (300, 400))\n"
    )
    code = """
        import resource
        from pytest_lambda_lifecycle.isolation import limits as table
        from pytest_lambda_lifecycle import ExecutionEnvironment, FunctionConfig
        original = table._set_limit
        def as_a_user(kind, limits):
            if limits[1] > resource.getrlimit(kind)[1]: raise ValueError("not allowed")
            original(kind, limits)
        table._set_limit = as_a_user
        with ExecutionEnvironment(FunctionConfig("app.handler", code_dir=".")) as env: env.invoke()
        print(resource.getrlimit(resource.RLIMIT_NOFILE))
    """
    assert printed_by(code, tmp_path) == "(400, 400)\n"


def test_an_encoding_that_function_code_could_not_import_is_found_again(environment):
    codecs = sys.modules.pop("encodings.cp1026", None)
    assert codecs is None, "a codec that nothing else needs"
    env = environment("""
        import sys
        def handler(event, context):
            sys.meta_path = None
            try: "x".encode("cp1026")
            except (LookupError, ImportError): return "not found"
    """)
    assert env.invoke().payload == "not found"
    env.close()
    assert b"x".decode("cp1026")
