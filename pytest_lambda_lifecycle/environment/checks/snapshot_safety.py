"""SnapStart: values of Init that all environments share which are restored from one snapshot.

Two throw-away environments run Init, more than a day apart, and with other random numbers.  A value
that differs from one to the other was to be unique.  If it is still there after a restore, whose
hooks may have made it anew, each environment that is restored from one snapshot has the same.
"""

from __future__ import annotations

import random
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from types import BuiltinMethodType, FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pytest_lambda_lifecycle.environment.checks.init_values import InitValue, init_values
from pytest_lambda_lifecycle.environment.checks.value_sources import source_of, watch_sources
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.isolation.folders import namespace_of
from pytest_lambda_lifecycle.lifecycle.events import SpyCall
from pytest_lambda_lifecycle.lifecycle.redaction import REDACTED
from pytest_lambda_lifecycle.state.paths import Patterns, patterns_of
from pytest_lambda_lifecycle.state.texts import is_plain_value

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.environment.execution_environment import ExecutionEnvironment
    from pytest_lambda_lifecycle.state.scene import Scene

__all__ = ["assert_snapshot_safe"]

_APART_S: Final = 86_400 + 3_600 + 60 + 1.001
"""The time between the two runs of Init, in seconds: all parts of a date and a time differ."""
_MOST_SHOWN: Final = 30
_EXPIRE: Final = "credentials, which expire"
_CREDENTIALS: Final = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
_GENERATOR: Final = "random"
"""The path of the generator of the module `random`."""


class _Shared(NamedTuple):
    """A value that all copies of a snapshot share."""

    path: str
    text: str
    why: str
    where: str

    def __str__(self) -> str:
        at = f", at {self.where}" if self.where and self.where not in self.why else ""
        return f"{self.path}: {self.text} ({self.why}){at}"


def assert_snapshot_safe(
    make: Callable[[int], ExecutionEnvironment], handler: str, *, ignore: object
) -> None:
    """Assert that no value of Init that has to be unique outlasts a restore.

    ``make`` returns another environment, which draws its random numbers from a seed.
    """
    __tracebackhide__ = True
    asked = "cannot assert that a snapshot is safe"
    ignored = patterns_of(ignore, asked)
    with closing(make(0)) as one, closing(make(1)) as other:
        found = list(_shared(one, other))
        used = [path for path in (ignored.covering(value.path) for value in found) if path]
        scene = one._parts.make_scene()
        for pattern in ignored.patterns:
            if pattern not in used and pattern != _GENERATOR and not scene.knows(pattern):
                raise LifecycleError(
                    f"{asked}: ignore has {pattern!r}, and the function has no such name",
                    "A path begins with the module, as in 'shop.app.RUN_ID'.",
                    code="LLC904",
                )
    _judge(found, ignored, handler)


def _judge(found: list[_Shared], ignored: Patterns, handler: str) -> None:
    __tracebackhide__ = True
    found = [value for value in found if not ignored.covering(value.path)]
    if not found:
        return
    lines = [f"  {value}" for value in found[:_MOST_SHOWN]]
    if len(found) > _MOST_SHOWN:
        lines.append(f"  ({len(found) - _MOST_SHOWN} more)")
    raise AssertionError(
        "\n".join(
            [
                f"{handler} keeps values of Init that all environments restored from one snapshot "
                "share:",
                *lines,
                "Make them in the handler, or anew in a function that is registered with "
                "snapshot_restore_py.register_after_restore. What may be shared is named in "
                "ignore=[...].",
            ]
        )
    )


def _shared(one: ExecutionEnvironment, other: ExecutionEnvironment) -> Iterator[_Shared]:
    __tracebackhide__ = True
    watch_sources(one)
    one.initialize()
    scene = one._parts.make_scene()
    before = init_values(one, scene)
    generator = _generator(one)
    one.restore()
    after = init_values(one, scene)
    one.idle(_APART_S)
    other.initialize()
    others = init_values(other, other._parts.make_scene())
    calls = one.timeline.of(SpyCall)
    variables = _variables(one)
    credentials = {variables[name] for name in _CREDENTIALS if variables.get(name)}
    inside: list[str] = []
    """The beginnings of paths that lead into a container which is reported itself."""
    for path, value in after.items():
        made = before.get(path)
        if path.startswith(tuple(inside)):
            continue
        if made is None or made.compared != value.compared or made.value is not value.value:
            continue  # a hook has made it after the restore
        why = _why(value, others.get(path), calls, credentials)
        if why:
            inside += [f"{path}.", f"{path}[", f"{path}("]
            where = scene.where(value.node, value.label) or _line_of_global(one, scene, value)
            yield _Shared(path, REDACTED if why == _EXPIRE else value.text, why, where)
    user = _user_of_random(other)  # in the first one, spies stand in the places of functions
    if user and _generator(one) == generator:
        yield _Shared(
            _GENERATOR,
            "the generator of the module",
            f"{user} uses it, and it goes on from the same state in each copy",
            "",
        )


def _why(
    value: InitValue, other: InitValue | None, calls: list[SpyCall], credentials: set[str]
) -> str:
    """Return why a value is not to be shared; ``""`` if it may be."""
    held = value.value
    if issubclass(type(held), socket.socket):
        return (
            "a socket, whose connection a restore does not bring back"
            if socket.socket.fileno(held) >= 0
            else ""
        )
    if type(held) is str and held in credentials:
        return _EXPIRE
    if other is not None and other.compared == value.compared:
        return ""
    if type(held) is random.Random:
        return "a generator of random numbers, which draws the same ones in each copy"
    if value.compared is True:
        return "its key is another one in each Init"
    found = source_of(held, calls) if is_plain_value(held) else ""
    return found or "another value in each Init"


def _line_of_global(env: ExecutionEnvironment, scene: Scene, value: InitValue) -> str:
    """Return the line at which a module sets a global, or a function has a default value."""
    if type(value.node.object) is FunctionType:
        code = value.node.object.__code__
        return scene.places.shown(f"{code.co_filename}:{code.co_firstlineno}")
    if value.node.place.parent is not None or not isinstance(value.label, str):
        return ""
    module = env._parts.world.own_modules().get(str(value.node.place.label))
    file = (namespace_of(module) or {}).get("__file__")
    if type(file) is not str:
        return ""
    assignment = re.compile(rf"{re.escape(value.label)}\s*(:[^=]+)?=[^=]")
    for number, line in enumerate(scene.places.source(file).splitlines(), 1):
        if assignment.match(line):
            return scene.places.shown(f"{file}:{number}")
    return ""


def _generator(env: ExecutionEnvironment) -> object:
    return env._parts.process.run(random.getstate)


def _variables(env: ExecutionEnvironment) -> Mapping[str, str]:
    import os

    return env._parts.process.run(lambda: dict(os.environ))


def _user_of_random(env: ExecutionEnvironment) -> str:
    """Return a module of the function that uses the module `random`; ``""`` if none does."""
    world = env._parts.world
    for name, module in world.own_modules().items():
        if world.is_source(name):
            for value in list((namespace_of(module) or {}).values()):
                if value is random or _is_of_generator(value):
                    return name
    return ""


def _is_of_generator(value: Any) -> bool:  # noqa: ANN401
    is_method = type(value) in (BuiltinMethodType, MethodType)
    return is_method and value.__self__ is random._inst
