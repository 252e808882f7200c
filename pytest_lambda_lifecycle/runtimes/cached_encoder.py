"""simplejson's compiled encoder, made once and used for every call.

`JSONEncoder.encode` makes a new compiled encoder for each call, as such an encoder remembers which
containers it is inside of, and which keys it has encoded.  Making one takes so long that a warm
invoke would take 8 % longer (`tox -e bench`, row "encoders made anew").

simplejson has no public way to use one again, and the arguments of the compiled class differ from
version to version.  So a copy of the method that makes it runs once, with a function in place of
the class.  That function stores the encoder, and the two dicts that are its memory; the memory is
emptied after each use.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple

from simplejson import JSONEncoder

__all__ = ["cached_encoder"]


class _Compiled(NamedTuple):
    """One compiled encoder and its memory."""

    encode: Callable[[object, int], Any]
    inside_of: dict[Any, Any]
    """The containers that it is inside of, by their ids: it finds circular references so."""
    keys: dict[Any, Any]
    """The keys that it has encoded."""


def cached_encoder(encoder: JSONEncoder) -> Callable[[object], str]:
    """Return a function that does the same as ``encoder.encode``, faster for a dict or a list.

    Where simplejson has no compiled encoder, or makes it in another way, this is ``encoder.encode``
    itself.
    """
    encode_anew: Callable[[object], str] = encoder.encode
    made = _made_by(encoder)
    if made is None:
        return encode_anew
    compiled, inside_of, keys = made
    join = "".join

    def encode(value: object) -> str:
        __function_code_above__ = True
        # If it is inside of a container now, it has called code (`_asdict`) that encodes in turn.
        if not (type(value) is dict or type(value) is list) or inside_of:
            return encode_anew(value)
        try:
            return join(compiled(value, 0))
        except BaseException:
            inside_of.clear()
            raise
        finally:
            keys.clear()

    return encode


def _made_by(encoder: JSONEncoder) -> _Compiled | None:
    """Return the compiled encoder that `JSONEncoder.iterencode` makes; None if it makes none."""
    original: Any = JSONEncoder.iterencode
    make = original.__globals__.get("c_make_encoder")
    if make is None:
        return None
    made: list[Any] = []

    def keep(*arguments: Any) -> Any:  # noqa: ANN401  # compiled
        made[:] = [
            make(*arguments),
            *(argument for argument in arguments if type(argument) is dict),
        ]
        return made[0]

    names = {**original.__globals__, "c_make_encoder": keep}
    copied: Any = FunctionType(original.__code__, names, argdefs=original.__defaults__)
    copied(encoder, [])
    return _Compiled(*made) if len(made) == len(_Compiled._fields) else None
