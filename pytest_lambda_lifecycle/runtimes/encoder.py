"""simplejson's compiled encoder, kept from call to call.

`simplejson.JSONEncoder` makes a new one for each call, which costs more than encoding a small
event.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from simplejson import JSONEncoder

__all__ = ["kept_encoder"]


def kept_encoder(encoder: JSONEncoder) -> Callable[[object], str]:
    """Return what does the same as ``encoder.encode``, faster for a dict or a list.

    Where simplejson has no compiled encoder, or makes it in another way, that is ``encoder.encode``
    itself.
    """
    encode_anew: Callable[[object], str] = encoder.encode
    made = _made_by(encoder)
    if made is None:
        return encode_anew
    compiled, inside_of, keys = made
    join = "".join

    def encode(value: object) -> str:
        # It is inside of something if code that it calls (`_asdict`) got here.
        __function_code_above__ = True
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


def _made_by(
    encoder: JSONEncoder,
) -> tuple[Callable[[object, int], Any], dict[Any, Any], dict[Any, Any]] | None:
    """Return the compiled encoder that `JSONEncoder.iterencode` makes, and the two dicts in which
    it remembers things.

    The first has the containers that it is inside of, the second the keys that it has encoded.  Its
    arguments differ from version to version, so they are those that a copy of that method passes.
    """
    original: Any = JSONEncoder.iterencode
    make = original.__globals__.get("c_make_encoder")
    made: list[Any] = []

    def keep(*arguments: Any) -> Any:  # noqa: ANN401  # compiled
        made[:] = [make(*arguments), *(one for one in arguments if type(one) is dict)]
        return made[0]

    if make is not None:
        names = {**original.__globals__, "c_make_encoder": keep}
        copied: Any = FunctionType(original.__code__, names, argdefs=original.__defaults__)
        copied(encoder, [])
    return (made[0], made[1], made[2]) if len(made) == 3 else None
