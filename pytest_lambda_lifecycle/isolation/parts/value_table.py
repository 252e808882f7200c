"""The single values that function code is known to change: how each of them is read and set."""

from __future__ import annotations

import contextlib
import decimal
import gc
import locale
import operator
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Final

from pytest_lambda_lifecycle.isolation import library_values
from pytest_lambda_lifecycle.isolation.held_modules import held_module
from pytest_lambda_lifecycle.isolation.limits import LIMITS
from pytest_lambda_lifecycle.isolation.modules import kept_code

__all__ = ["OUTSIDE", "TABLE", "Value"]

OUTSIDE: Final[Any] = object()
"""Stands for the value of the test: a process of the function begins with it."""


class Value:
    """One value of the process."""

    __slots__ = ("at_start", "fresh", "read", "same", "setters", "write")

    def __init__(
        self,
        read: Callable[[], Any],
        write: Callable[[Any], object],
        *,
        fresh: object = OUTSIDE,
        at_start: object = OUTSIDE,
        same: Callable[[Any, Any], bool] = operator.is_,
        setters: tuple[tuple[ModuleType, str], ...] = (),
    ) -> None:
        """``fresh`` is the value in a new process of the function.

        ``at_start`` is the value before any test.  Only a tool puts it back (`mock.patch`) that had
        begun before the environment entered, never the function.  ``setters`` are the functions to
        watch, each as a module and a name.
        """
        self.read = read
        self.write = write
        self.fresh = fresh
        self.at_start = at_start
        self.same = same
        self.setters = setters


_NO_MODULE: Final[Any] = object()
_ABSENT: Final[Any] = object()

# -- attributes of modules -------------------------------------------------------------------------


def _attribute(module: str, name: str, absent: object = None, **options: Any) -> Value:  # noqa: ANN401  # as `Value`
    """Return the value in a module's attribute: ``absent`` where there is no such module.

    With `_NO_MODULE`, function code that is the first to import the module leaves the value there.
    """

    def read() -> object:
        owner = sys.modules.get(module)
        if type(owner) is not ModuleType:
            owner = held_module(module)
        return absent if owner is None else getattr(owner, name, None)

    def write(value: object) -> None:
        owner = held_module(module)
        if owner is not None and value is not _NO_MODULE:
            setattr(owner, name, value)

    return Value(read, write, **options)


def _present_attribute(module: ModuleType, name: str) -> Value:
    return Value(
        partial(getattr, module, name, None),
        partial(setattr, module, name),
        at_start=getattr(module, name),
    )


# -- values with a reader and a writer of their own ------------------------------------------------


def _write_traceback_limit(limit: Any) -> None:  # noqa: ANN401
    if limit is not _ABSENT:
        sys.tracebacklimit = limit
    elif hasattr(sys, "tracebacklimit"):
        del sys.tracebacklimit


def _read_arguments() -> tuple[Any, Any]:
    arguments: Any = getattr(sys, "argv", None)  # function code may delete it
    return arguments, list(arguments) if isinstance(arguments, list) else None


def _write_arguments(value: tuple[Any, Any]) -> None:
    sys.argv, arguments = value
    if arguments is not None:
        sys.argv[:] = arguments


def _read_tracing_of_memory() -> int:
    tracing: Any = held_module("_tracemalloc")
    return tracing.get_traceback_limit() if tracing is not None and tracing.is_tracing() else 0


def _write_tracing_of_memory(frames: int) -> None:
    tracing: Any = held_module("_tracemalloc")
    if tracing is not None:
        tracing.stop()
        if frames:
            tracing.start(frames)


_monitoring: Final[Any] = getattr(sys, "monitoring", None)
"""None before Python 3.12."""
_TOOLS: Final = range(6)


def _read_tools() -> list[str | None]:
    return list(map(_monitoring.get_tool, _TOOLS))


def _write_tools(names: list[str | None]) -> None:
    """Free the tools of function code; their callbacks and events are not given back to it."""
    for tool, now, name in zip(_TOOLS, _read_tools(), names, strict=True):
        if now is not None and now != name:
            kept_code.forget()
            _monitoring.set_events(tool, 0)
            _monitoring.free_tool_id(tool)
        if name is not None and now != name:
            _monitoring.use_tool_id(tool, name)


def _write_generator_hooks(hooks: Any) -> None:  # noqa: ANN401
    sys.set_asyncgen_hooks(*hooks)


def _write_default_context(values: decimal.Context) -> None:
    context = decimal.DefaultContext  # the contexts of new threads are copies of it
    if repr(context) != repr(values):
        for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp"):
            setattr(context, name, getattr(values, name))
        context.traps = values.traps
        context.flags = values.flags


def _read_locale() -> str:
    return locale.setlocale(locale.LC_ALL)


def _write_locale(value: str) -> None:
    if value != _read_locale():
        locale.setlocale(locale.LC_ALL, value)


# -- values whose setters are watched --------------------------------------------------------------

# The real functions: watchers stand in their place while an environment is entered.

_umask = os.umask
_settrace = sys.settrace
_setprofile = sys.setprofile
_stack_size = threading.stack_size
_enable_gc = gc.enable
_disable_gc = gc.disable
_freeze_gc = gc.freeze
_unfreeze_gc = gc.unfreeze
_set_wakeup_fd = signal.set_wakeup_fd
_signal_mask: Final[Any] = getattr(signal, "pthread_sigmask", None)
"""None on Windows."""


def _read_umask() -> int:
    mask = _umask(0o077)
    _umask(mask)
    return mask


def _read_stack_size() -> int:
    size = _stack_size()  # this call sets it to the default
    _stack_size(size)
    return size


def _switch_gc(enabled: bool) -> None:
    _enable_gc() if enabled else _disable_gc()


def _is_frozen() -> bool:
    return gc.get_freeze_count() > 0


def _freeze(frozen: bool) -> None:
    _freeze_gc() if frozen else _unfreeze_gc()


def _read_wakeup_fd() -> int:
    descriptor = _set_wakeup_fd(-1)
    _write_wakeup_fd(descriptor)
    return descriptor


def _write_wakeup_fd(descriptor: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # somebody has closed it
        _set_wakeup_fd(descriptor, warn_on_full_buffer=False)


def _read_signal_mask() -> Any:  # noqa: ANN401  # a set of signals
    return _signal_mask(signal.SIG_BLOCK, ())


def _write_signal_mask(mask: Any) -> None:  # noqa: ANN401
    _signal_mask(signal.SIG_SETMASK, mask)


# -- the table -------------------------------------------------------------------------------------


def _plain(read: Callable[[], Any], write: Callable[[Any], object], **options: Any) -> Value:  # noqa: ANN401
    """Return a value that is compared by ``==`` and known from the start."""
    return Value(read, write, at_start=read(), same=operator.eq, **options)


def _set_threshold(counts: tuple[int, int, int]) -> None:
    gc.set_threshold(*counts)


TABLE: Final = (
    _attribute("boto3", "DEFAULT_SESSION", fresh=None),
    _attribute("urllib.request", "_opener", fresh=None),
    _attribute("mimetypes", "_db", _NO_MODULE),
    _attribute("mimetypes", "inited", _NO_MODULE),
    _present_attribute(os, "environ"),
    Value(
        partial(getattr, sys, "excepthook", None),
        partial(setattr, sys, "excepthook"),
        fresh=sys.__excepthook__,
        at_start=sys.excepthook,
    ),
    _present_attribute(sys, "displayhook"),
    _present_attribute(sys, "breakpointhook"),
    _present_attribute(sys, "dont_write_bytecode"),
    Value(
        partial(getattr, sys, "tracebacklimit", _ABSENT),
        _write_traceback_limit,
        fresh=_ABSENT,
        at_start=_ABSENT,
    ),
    _present_attribute(threading, "_trace_hook"),
    _present_attribute(threading, "_profile_hook"),
    _plain(_read_arguments, _write_arguments),
    Value(
        *library_values.START_METHOD,
        fresh=None,
        at_start=None,
    ),
    Value(
        socket.getdefaulttimeout,
        socket.setdefaulttimeout,
        fresh=None,
        at_start=socket.getdefaulttimeout(),
    ),
    Value(
        *library_values.FIELD_LIMIT,
        at_start=library_values.FIELD_LIMIT_AT_START,
        same=operator.eq,
    ),
    _plain(_read_locale, _write_locale),
    Value(decimal.DefaultContext.copy, _write_default_context),
    _plain(sys.getswitchinterval, sys.setswitchinterval),
    _plain(gc.get_threshold, _set_threshold),
    *(
        [_plain(sys.get_int_max_str_digits, sys.set_int_max_str_digits)]
        if hasattr(sys, "set_int_max_str_digits")  # since 3.10.7
        else []
    ),
    _plain(gc.get_debug, gc.set_debug),
    *(
        [_plain(sys.getdlopenflags, sys.setdlopenflags)]
        if hasattr(sys, "setdlopenflags")  # not on Windows
        else []
    ),
    _plain(sys.get_asyncgen_hooks, _write_generator_hooks),
    _plain(
        sys.get_coroutine_origin_tracking_depth,
        sys.set_coroutine_origin_tracking_depth,
    ),
    Value(*library_values.DIALECTS, same=operator.eq),
    Value(*library_values.TIME_ZONES, same=operator.eq),
    Value(*library_values.FIRST_WEEKDAY, same=operator.eq),
    Value(_read_tracing_of_memory, _write_tracing_of_memory, same=operator.eq),
    *([Value(_read_tools, _write_tools, same=operator.eq)] if _monitoring is not None else []),
    Value(sys.gettrace, _settrace, setters=((sys, "settrace"),)),
    Value(sys.getprofile, _setprofile, setters=((sys, "setprofile"),)),
    Value(sys.getrecursionlimit, sys.setrecursionlimit, setters=((sys, "setrecursionlimit"),)),
    Value(gc.isenabled, _switch_gc, setters=((gc, "enable"), (gc, "disable"))),
    Value(_is_frozen, _freeze, setters=((gc, "freeze"), (gc, "unfreeze"))),
    Value(_read_umask, _umask, setters=((os, "umask"),)),
    *(Value(one.read, one.write, setters=one.setters) for one in LIMITS),
    Value(_read_stack_size, _stack_size, setters=((threading, "stack_size"),)),
    Value(_read_wakeup_fd, _write_wakeup_fd, setters=((signal, "set_wakeup_fd"),)),
    *(
        [Value(_read_signal_mask, _write_signal_mask, setters=((signal, "pthread_sigmask"),))]
        if _signal_mask is not None
        else []
    ),
)
