"""Registries of the standard library, and settings that can be read and written."""

from __future__ import annotations

import gc
import sys

import pytest

from pytest_lambda_lifecycle.isolation.stage import stage

IMPORTS = (
    "import calendar, copyreg, csv, email.charset, gc, mimetypes, shutil, sqlite3, sys\n"
    "import tracemalloc, urllib.parse, webbrowser, zoneinfo\n"
    "import xml.dom, xml.etree.ElementTree, xml.sax\n"
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
    "gc.callbacks.append(own)": "[one for one in gc.callbacks if one.__module__ == 'app']",
    "gc.set_debug(gc.DEBUG_SAVEALL)": "gc.get_debug()",
    "tracemalloc.start(7)": "tracemalloc.get_traceback_limit() if tracemalloc.is_tracing() else 0",
    "calendar.setfirstweekday(3)": "calendar.firstweekday()",
    "zoneinfo.reset_tzpath(to=['/own'])": "zoneinfo.TZPATH",
    "sys.set_coroutine_origin_tracking_depth(3)": "sys.get_coroutine_origin_tracking_depth()",
    "sys.set_asyncgen_hooks(firstiter=own)": "sys.get_asyncgen_hooks().firstiter",
    "sys.setprofile(own)": "sys.getprofile()",
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
