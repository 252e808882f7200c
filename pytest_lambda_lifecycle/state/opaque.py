"""The classes of objects: which are looked into, and which hold the data of others."""

from __future__ import annotations

from typing import Any, Final

__all__ = [
    "IDENTITY",
    "holds_data",
    "identities",
    "is_mock",
    "is_opaque",
    "judged_of",
    "module_of",
    "mro_of",
    "name_of",
    "namespace_of_class",
]

IDENTITY: Final = object.__hash__
"""The same as `id`, which raises an event for each call once there is an audit hook."""

# A metaclass may define each of these attributes anew; the descriptors of `type` ignore it.
mro_of: Final[Any] = type.__dict__["__mro__"].__get__
namespace_of_class: Final[Any] = type.__dict__["__dict__"].__get__
_module_of: Final[Any] = type.__dict__["__module__"].__get__
name_of: Final[Any] = type.__dict__["__qualname__"].__get__

_OPAQUE: Final = frozenset(
    "_asyncio _io abc aioboto3 aiobotocore aiohttp asyncio asyncpg awscrt boto3 botocore "
    "concurrent ctypes grpc http importlib jinja2 jsonschema moto multiprocessing opentelemetry "
    "pluggy psycopg psycopg2 pydantic pydantic_core pymysql pytest_lambda_lifecycle re responses "
    "s3transfer select selectors socket sqlalchemy sqlite3 ssl subprocess threading typing "
    "typing_extensions unittest urllib3 warnings zipimport zoneinfo".split()
)
"""Packages whose objects change by themselves: clients, pools, mocks, caches of parsers.

A client of boto3 alone reaches ten thousand objects, and makes more whenever it calls an operation
for the first time; a pool counts its requests.  Nothing of that is state of the function.
"""
_CACHES: Final = (
    "aws_lambda_powertools.shared.cache_dict",
    "aws_lambda_powertools.utilities.idempotency",
    "aws_lambda_powertools.utilities.parameters",
)
"""Modules whose objects keep responses by the hash of their request, or parameters by name."""
_SEEN: Final = frozenset(
    {
        ("asyncio.queues", "LifoQueue"),
        ("asyncio.queues", "PriorityQueue"),
        ("asyncio.queues", "Queue"),
        ("http.cookiejar", "Cookie"),
        ("http.cookiejar", "CookieJar"),
        ("http.cookies", "Morsel"),
        ("http.cookies", "SimpleCookie"),
        ("sqlalchemy.orm.scoping", "scoped_session"),
        ("sqlalchemy.orm.session", "Session"),
        ("sqlalchemy.orm.session", "SessionTransaction"),
        ("sqlalchemy.util._collections", "ThreadLocalRegistry"),
    }
)
"""Classes of those packages that are looked into after all."""
_DATA: Final = frozenset(
    "_collections _functools _queue _thread _weakrefset array builtins cachetools collections "
    "contextvars functools itertools numpy types weakref".split()
)
"""Packages whose objects hold the data of others, such as `collections.deque`."""
_JUDGED: Final = {
    ("asyncio.queues", "Queue"): frozenset({"_queue"}),
    ("httpx", "Client"): frozenset({"_auth", "_headers", "_params"}),
    ("httpx", "AsyncClient"): frozenset({"_auth", "_headers", "_params"}),
    ("jinja2.environment", "Environment"): frozenset({"filters", "globals", "tests"}),
    ("logging", "Handler"): frozenset({"filters", "level"}),
    ("queue", "Queue"): frozenset({"queue"}),
    ("requests.sessions", "Session"): frozenset(
        {"adapters", "auth", "headers", "hooks", "params", "proxies"}
    ),
    ("sqlalchemy.orm.session", "Session"): frozenset({"_transaction", "info"}),
}
"""Attributes of libraries' objects that hold what function code has put there."""


def judged_of(cls: type) -> frozenset[str]:
    """Return the attributes of such an object that belong to its holder."""
    for base in mro_of(cls):
        found = _JUDGED.get((module_of(base), name_of(base)))
        if found is not None:
            return found
    return frozenset()


def identities(*classes: type) -> frozenset[int]:
    """Return what tells classes apart: a metaclass may define ``__eq__`` and ``__hash__``."""
    return frozenset(map(IDENTITY, classes))


def module_of(cls: type) -> str:
    """Return the module that a class names as its own; ``builtins`` where it names none."""
    try:
        module = _module_of(cls)
    except AttributeError:  # somebody has deleted it
        return "builtins"
    return module if type(module) is str else "builtins"


def is_opaque(cls: type) -> bool:
    """Say whether the class belongs to a library whose objects are not looked into."""
    module = module_of(cls)
    if module.startswith(_CACHES):
        return True
    return module.partition(".")[0] in _OPAQUE and (module, name_of(cls)) not in _SEEN


def is_mock(cls: type) -> bool:
    """Say whether the objects of a class record calls for a test."""
    return any(module_of(base) == "unittest.mock" for base in mro_of(cls))


def holds_data(cls: type) -> bool:
    """Say whether the contents of such an object belong to the object's holder."""
    return module_of(cls).partition(".")[0] in _DATA
