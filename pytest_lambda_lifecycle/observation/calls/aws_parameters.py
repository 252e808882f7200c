"""The parameters of an AWS operation as they are recorded: a copy, without secrets and bodies.

AWS's model of a service marks the members that hold secrets (the trait ``sensitive``: the value of
an SSM parameter, a payload of Lambda).  Names of the user's own (attributes of a DynamoDB item,
headers, tags) and members that the model does not mark are judged by their names.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Set
from typing import Any, Final, NamedTuple

from pytest_lambda_lifecycle.lifecycle.redaction import REDACTED, is_secret_name

__all__ = ["recorded_parameters"]

_DEEPEST: Final = 40
"""Levels of nesting; AWS accepts fewer.  A structure that contains itself ends here."""

_NAMES_SOMETHING: Final = re.compile(
    r"^Key$|(Arn|ARN|Id|Name|Type|Version|Address|Uri|Url|Endpoint|Status)$"
    r"|^(client|clientRequest|next\w*|sequence|\w*SequenceToken)Token$",
    re.IGNORECASE,
)
"""Members of AWS's models that name a thing and do not reveal it: the ``Key`` of an object in S3,
``SecretId``, the token of an idempotent request.
"""
_TEXTS: Final = (str, bytes)
_PLAIN: Final = frozenset({str, int, float, bool, type(None)})
"""Types of values that need no copy.  A question for an abstract class takes ten times as long."""
_SECRET_ALL_THE_SAME: Final = re.compile(r"AccessKeyId$|^SessionId$", re.IGNORECASE)


def recorded_parameters(parameters: object, shape: Any) -> dict[str, object]:  # noqa: ANN401
    """Return a copy of the parameters of an operation; ``shape`` is botocore's model of them."""
    copied = _copied(parameters, shape, 0)
    return copied if isinstance(copied, dict) else {}


def _copied(value: object, shape: Any, depth: int) -> object:  # noqa: ANN401
    """Copy a value by its shape; None as the shape, or another kind of value, goes by names."""
    if shape is None or depth > _DEEPEST:
        return _copied_by_name(value, depth)
    if shape.metadata.get("sensitive"):
        return None if value is None else REDACTED
    if type(value) in _PLAIN:
        return value
    kind = shape.type_name
    if kind == "structure" and (type(value) is dict or isinstance(value, Mapping)):
        return _copied_structure(value, _members(shape), depth + 1)
    if kind == "map" and (type(value) is dict or isinstance(value, Mapping)):
        return {
            key: REDACTED if _is_secret(key) else _copied(item, shape.value, depth + 1)
            for key, item in value.items()
        }
    if kind == "list" and isinstance(value, list | tuple):
        return [_copied(item, shape.member, depth + 1) for item in value]
    return _copied_by_name(value, depth)


class _Member(NamedTuple):
    shape: Any
    hides_text: bool
    """Its texts and bytes are secrets."""


_UNKNOWN: Final = _Member(None, hides_text=False)


@functools.lru_cache(512)
def _members(shape: Any) -> dict[str, _Member]:  # noqa: ANN401
    """Return the members of a structure; operations are called often, and have few."""
    return {
        name: _Member(member, hides_text=_is_secret_member(name, member))
        for name, member in shape.members.items()
    }


def _copied_structure(
    value: Mapping[Any, object], members: dict[str, _Member], depth: int
) -> dict[Any, object]:
    copied: dict[Any, object] = {}
    for name, item in value.items():
        member = members.get(name, _UNKNOWN)
        kind = type(item)
        if member.hides_text and kind in _TEXTS:
            copied[name] = REDACTED
        elif kind is str and member is not _UNKNOWN:
            copied[name] = item
        else:
            copied[name] = _copied(item, member.shape, depth)
    return copied


def _copied_by_name(value: object, depth: int) -> object:
    """Copy a value that has no model, as a resource of boto3 takes it."""
    if depth > _DEEPEST:
        return "..."
    if type(value) in _PLAIN:
        return value
    if isinstance(value, Mapping):
        return {
            key: REDACTED if _is_secret(key) else _copied_by_name(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_copied_by_name(item, depth + 1) for item in value]
    if isinstance(value, Set):
        return set(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"
    if hasattr(value, "read"):
        return f"<{type(value).__name__}>"
    return value


def _is_secret(name: object) -> bool:
    return isinstance(name, str) and _is_secret_text(name)


_is_secret_text: Final = functools.lru_cache(1024)(is_secret_name)


def _is_secret_member(name: str, shape: Any) -> bool:  # noqa: ANN401
    """Say whether AWS's model, or the name of a member, says that it holds a secret."""
    if shape.metadata.get("sensitive") or _SECRET_ALL_THE_SAME.search(name):
        return True
    if getattr(shape, "enum", None) or _NAMES_SOMETHING.search(name):
        return False
    return is_secret_name(name)
