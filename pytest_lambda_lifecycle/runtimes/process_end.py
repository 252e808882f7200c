"""The end of the interpreter: the text that it writes, the hook that it calls, its exit status.

Source: the shutdown of CPython (``pythonrun.c``, ``pylifecycle.c``).
"""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace, TracebackType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation.frames import is_own
from pytest_lambda_lifecycle.isolation.parts.streams import write_to_descriptor_2
from pytest_lambda_lifecycle.isolation.tracebacks import entries_of, joined
from pytest_lambda_lifecycle.lifecycle.outcome import Exited, ProcessEnd

__all__ = ["exit_status", "flushed_status", "process_exit"]

__stands_for__ = "bootstrap"

_SYS: Final[dict[str, Any]] = sys.__dict__
_ABSENT: Final[Any] = object()
_BACKPORT: Final = "exceptiongroup._formatting"
_FLUSH_FAILED: Final = 120
"""The exit status of an interpreter that cannot flush its standard streams."""
_BY_NAME = sys.version_info >= (3, 13)
"""The stream is named by its name, and not by its repr."""

# A class of function code may have attributes of the same names.
_TRACEBACK: Final[Any] = BaseException.__dict__["__traceback__"]
_LINKS: Final[tuple[Any, ...]] = (
    BaseException.__dict__["__cause__"],
    BaseException.__dict__["__context__"],
)


def exit_status(error: BaseException) -> int:
    """Return the exit status of a process that *error* ends, as `subprocess` shows it."""
    if isinstance(error, ProcessEnd):
        return error.exit_code
    if isinstance(error, SystemExit):
        return _status_of(error.code)
    # The interpreter does not look for subclasses either.
    return -signal.SIGINT if type(error) is KeyboardInterrupt else 1


def process_exit(
    error: BaseException, passes_through: Callable[[BaseException], bool] | None = None
) -> Exited:
    """End the interpreter, as *error* has reached its top.

    `sys.excepthook` of function code is called, the last text is written, and the standard streams
    are flushed.  Exceptions for which *passes_through* returns True leave the hook as they are;
    without that argument, the process is not the function's, and has no hook.
    """
    __tracebackhide__ = __function_code_above__ = True
    if isinstance(error, ProcessEnd):
        return Exited(error.exit_code, error)
    status = exit_status(error)
    if isinstance(error, SystemExit):
        text = _exit_text(error.code)
        _write_exit_text(text)
    else:
        with _without_own_frames(error):
            second, text = _call_hook(error, passes_through)
        if second is not None:
            return process_exit(second, passes_through)
    if status >= 0:
        status = flushed_status(status)
    else:
        flushed_status(0)  # the signal decides in the end
    return Exited(status, error, text)


# --- sys.exit ------------------------------------------------------------------------------------


def _status_of(code: object) -> int:
    """Return the exit status of ``sys.exit(code)``: the low byte of an int, else 1."""
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF if -(2**31) <= code < 2**63 else 0xFF
    return 1


def _exit_text(code: object) -> str:
    if code is None or isinstance(code, int):
        return ""
    try:
        return f"{code}\n"
    except Exception:
        return "\n"


def _write_exit_text(text: str) -> None:
    """Write the text of ``sys.exit(text)``: without `sys.stderr`, to file descriptor 2."""
    if not text:
        return
    stderr = _SYS.get("stderr")
    if stderr is None:
        return write_to_descriptor_2(text)
    with contextlib.suppress(Exception):
        stderr.write(text[:-1])
    try:
        stderr.write("\n")
    except Exception:
        write_to_descriptor_2("\n")
    return None


# --- an exception that nobody has caught ---------------------------------------------------------


def _call_hook(
    error: BaseException, passes_through: Callable[[BaseException], bool] | None
) -> tuple[BaseException | None, str]:
    """Call `sys.excepthook`; return the exit that it raises, and the text of the interpreter."""
    __tracebackhide__ = __function_code_above__ = True
    hook = _SYS.get("excepthook", _ABSENT)
    # On Python 3.10, pytest loads the backport of exception groups, which sets a hook of its own.
    is_pythons = hook is sys.__excepthook__ or getattr(hook, "__module__", "") == _BACKPORT
    if passes_through is None or is_pythons:
        return None, _display(error)
    if hook is _ABSENT:
        return None, _display(error, "sys.excepthook is missing\n")
    try:
        with _as_last(error):
            hook(type(error), error, _TRACEBACK.__get__(error))
    except BaseException as second:
        if passes_through(second):
            raise
        if isinstance(second, SystemExit):
            return second, ""
        failed = second
        _forget_context(failed, error)
    else:
        return None, ""
    # Outside of the handler: the interpreter shows no connection of the two exceptions.
    with _without_own_frames(failed):
        entry = _TRACEBACK.__get__(failed)
        if entry is not None and is_own(entry.tb_frame):  # no function was called
            _TRACEBACK.__set__(failed, None)
        text = _display(failed, "Error in sys.excepthook:\n")
    return None, text + _display(error, "\nOriginal exception was:\n")


def _forget_context(failed: BaseException, error: BaseException) -> None:
    """Undo the connection of an exception of the hook with the one that was on its way.

    The interpreter calls the hook when it handles no exception; here one may be handled.
    """
    context = _LINKS[1]
    seen: list[BaseException] = []
    one: Any = failed
    while isinstance(one, BaseException) and all(one is not other for other in seen):
        seen.append(one)
        if context.__get__(one) is error:
            context.__set__(one, None)
        one = context.__get__(one)


@contextmanager
def _as_last(error: BaseException) -> Iterator[None]:
    """Put *error* in ``sys.last_value`` and its like, for the hook alone."""
    names = {
        "last_type": type(error),
        "last_value": error,
        "last_traceback": _TRACEBACK.__get__(error),
    }
    if sys.version_info >= (3, 12):
        names["last_exc"] = error
    before = {name: _SYS[name] for name in names if name in _SYS}
    _SYS.update(names)
    try:
        yield
    finally:
        for name in names:
            _SYS.pop(name, None)
        _SYS.update(before)


def _display(error: BaseException, headline: str = "") -> str:
    """Write the traceback as the interpreter does, and return its text.

    The interpreter itself makes the text: each Python has its own words.  It does so in memory,
    since it writes to the file descriptor of pytest where `sys.stderr` fails.
    """
    stderr = _SYS.get("stderr", _ABSENT)
    if stderr is None:
        return ""
    text = headline
    if stderr is not _ABSENT:
        memory = io.StringIO()
        with contextlib.redirect_stderr(memory):
            sys.__excepthook__(type(error), error, _TRACEBACK.__get__(error))
        text += memory.getvalue()
        try:
            stderr.write(text)
        except Exception:
            if sys.version_info >= (3, 11):  # before, the interpreter writes nothing then
                stderr = _ABSENT
        else:
            with contextlib.suppress(Exception):
                stderr.flush()
    if stderr is _ABSENT:
        write_to_descriptor_2(_dump(error))
    return text


def _dump(error: BaseException) -> str:
    """Return the text of an interpreter that cannot write to `sys.stderr`."""
    try:
        shown = repr(error)
    except Exception:
        shown = "<exception repr() failed>"
    return (
        f"object address  : {id(error):#x}\nobject refcount : {sys.getrefcount(error)}\n"
        f"object type     : {id(type(error)):#x}\nobject type name: {type(error).__name__}\n"
        f"object repr     : {shown}\nlost sys.stderr\n"
    )


@contextmanager
def _without_own_frames(error: BaseException) -> Iterator[None]:
    """Take frames of this package out of the traceback of *error* and of those that led to it."""
    chain: list[tuple[BaseException, Any]] = []
    waiting: list[Any] = [error]
    while waiting:
        one = waiting.pop()
        if isinstance(one, BaseException) and all(one is not other for other, _ in chain):
            chain.append((one, _TRACEBACK.__get__(one)))
            waiting += [link.__get__(one) for link in _LINKS]
    try:
        for one, frames in chain:
            _TRACEBACK.__set__(one, _of_others(frames))
        yield
    finally:
        for one, frames in chain:
            _TRACEBACK.__set__(one, frames)


def _of_others(frames: TracebackType | None) -> TracebackType | None:
    """Return a traceback without entries of this package, or its last entry if there is no other.

    On Lambda there are always frames of the runtime, and with them the headline of the traceback.
    """
    entries = entries_of(frames)
    return joined([one for one in entries if not is_own(one.tb_frame)] or entries[-1:])


# --- the standard streams ------------------------------------------------------------------------


def flushed_status(status: int) -> int:
    """Flush the standard streams; return the exit status, which is 120 where that fails."""
    __tracebackhide__ = __function_code_above__ = True
    for name in ("stdout", "stderr"):
        stream = _SYS.get(name)
        if stream is None or _is_closed(stream):
            continue
        try:
            stream.flush()
        except Exception as problem:
            status = _FLUSH_FAILED
            if name == "stdout":
                _report_unraisable(problem, stream)
    for name in ("__stdout__", "__stderr__"):
        with contextlib.suppress(Exception):
            _SYS[name].flush()
    return status


def _is_closed(stream: Any) -> bool:  # noqa: ANN401  # any object may lie in sys.stdout
    try:
        return bool(stream.closed)
    except Exception:
        return False


def _report_unraisable(problem: Exception, stream: object) -> None:
    """Report a failed flush through `sys.unraisablehook`."""
    __tracebackhide__ = __function_code_above__ = True
    headline = "Exception ignored on flushing sys.stdout" if _BY_NAME else None
    hook: Any = sys.unraisablehook
    with contextlib.suppress(Exception):
        if getattr(hook, "__module__", None) not in {"sys", "builtins"} and not _is_of_test(hook):
            fields = {"exc_type": type(problem), "exc_value": problem, "exc_traceback": None}
            hook(SimpleNamespace(**fields, err_msg=headline, object=None if _BY_NAME else stream))
            return
        first = f"{headline}:" if headline else f"Exception ignored in: {stream!r}"
        text = "".join(traceback.format_exception_only(type(problem), problem))
        sys.stderr.write(f"{first}\n{text}")


def _is_of_test(hook: object) -> bool:
    """Say whether a hook is that of pytest or of this package."""
    function = getattr(hook, "func", hook)
    module = str(getattr(function, "__module__", ""))
    return module.startswith(("_pytest.", "pytest_lambda_lifecycle."))
