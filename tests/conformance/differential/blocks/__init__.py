"""The building blocks of programs, one module for each kind.

A module's ``TEXT`` holds its blocks.  A line ``== name`` begins a block, which may stand in the
module and in a turn; ``== name | turn`` stands in turns alone, ``init`` in the module alone,
``end`` at the end of a turn, ``last`` in the module after the handler.  A line ``-- init`` begins
statements of the module that the block needs, ``-- file NAME`` a file.  `values.py` has the texts
that replace ``$value`` and the other names with a dollar sign.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from . import (
    asyncio_blocks,
    context_blocks,
    exception_blocks,
    exit_blocks,
    import_blocks,
    interpreter_blocks,
    logging_blocks,
    logging_setup_blocks,
    odd_exception_blocks,
    process_blocks,
    replaced_stream_blocks,
    return_blocks,
    runtime_blocks,
    sequence_blocks,
    stream_blocks,
    thread_blocks,
    variable_blocks,
    warning_blocks,
)

__all__ = ["BLOCKS", "Block", "read_blocks"]

MODULES = {
    "logging": logging_blocks,
    "setup of logging": logging_setup_blocks,
    "streams": stream_blocks,
    "replaced streams": replaced_stream_blocks,
    "warnings": warning_blocks,
    "returns": return_blocks,
    "exceptions": exception_blocks,
    "odd exceptions": odd_exception_blocks,
    "exits": exit_blocks,
    "context": context_blocks,
    "variables": variable_blocks,
    "process state": process_blocks,
    "the interpreter": interpreter_blocks,
    "threads": thread_blocks,
    "asyncio": asyncio_blocks,
    "imports": import_blocks,
    "the runtime's modules": runtime_blocks,
    "sequences": sequence_blocks,
}


@dataclass
class Block:
    """A few statements that a program may have."""

    name: str
    kind: str
    place: str
    """``anywhere``, ``init``, ``turn``, ``end`` or ``last``."""
    code: str = ""
    init: str = ""
    files: dict[str, str] = field(default_factory=dict)


def read_blocks(kind: str, text: str) -> list[Block]:
    """Return the blocks of a module's text."""
    blocks = []
    for part in re.split(r"^== ", text, flags=re.MULTILINE)[1:]:
        title, _, rest = part.partition("\n")
        name, _, place = (word.strip() for word in title.partition("|"))
        code, *sections = re.split(r"^-- ", rest, flags=re.MULTILINE)
        block = Block(f"{kind}: {name}", kind, place or "anywhere", code.rstrip())
        for section in sections:
            what, _, content = section.partition("\n")
            if what == "init":
                block.init = content.rstrip()
            else:
                block.files[what.removeprefix("file ")] = content
        blocks.append(block)
    return blocks


BLOCKS = [block for kind, module in MODULES.items() for block in read_blocks(kind, module.TEXT)]
