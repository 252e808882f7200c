"""A program: building blocks in an order, its source, and its form as JSON."""

from __future__ import annotations

import json
import re
import textwrap
from dataclasses import asdict, dataclass, field, replace
from typing import Any

__all__ = ["Program", "Step", "Turn"]

REQUEST_ID = "8476a536-e9f4-11e8-9739-2dfe598fc0"
"""The beginning of each request's id; its last two digits are the number of the turn."""

_HANDLER = """\
def handler(event, context):
    return globals()["turn_" + context.aws_request_id[-2:]](event, context)
"""

_GUARD = """\
try:
{code}
except BaseException as caught:
    print("caught", type(caught).__name__, caught)
"""

# A function declares its global names before it uses them.
_GLOBAL = re.compile(r"^ *(global \w+)\n", re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """One building block with its values filled in."""

    block: str
    """The name of the block."""
    code: str
    """Statements of a turn, of the module, or (at the end) of the module after the handler."""
    init: str = ""
    """Statements of the module that `code` needs."""
    guarded: bool = False
    """Function code catches what the statements raise, and prints it."""
    files: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The statements as they stand in the program."""
        code = self.code.strip("\n")
        return _GUARD.format(code=textwrap.indent(code, "    ")) if self.guarded else code + "\n"


@dataclass(frozen=True)
class Turn:
    """One request, and what the handler does with it."""

    steps: tuple[Step, ...]
    event: str = "{}"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A function, its settings and its requests."""

    seed: int
    settings: dict[str, Any]
    """Keywords of `FunctionConfig`."""
    init: tuple[Step, ...]
    turns: tuple[Turn, ...]
    last: tuple[Step, ...] = ()
    """Steps of the module after the handler: they may replace it."""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps in their order."""
        return (*self.init, *(step for turn in self.turns for step in turn.steps), *self.last)

    @property
    def source(self) -> str:
        """The text of ``app.py``."""
        needed = dict.fromkeys(step.init.strip("\n") for step in self.steps if step.init)
        parts = [f"{text}\n" for text in needed]
        parts += [_GLOBAL.sub("", step.text) for step in self.init]
        parts += [_function(number, turn) for number, turn in enumerate(self.turns)]
        return "".join([*parts, _HANDLER, *(step.text for step in self.last)])

    @property
    def files(self) -> dict[str, str]:
        """All files of the function by their paths."""
        return {
            **{name: text for step in self.steps for name, text in step.files.items()},
            "app.py": self.source,
        }

    def headers(self, number: int) -> dict[str, str]:
        """Return the headers of a turn, without the deadline."""
        return {
            "Lambda-Runtime-Aws-Request-Id": f"{REQUEST_ID}{number:02}",
            "Lambda-Runtime-Trace-Id": "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
            "Lambda-Runtime-Invoked-Function-Arn": (
                "arn:aws:lambda:us-east-1:123456789012:function:function"
            ),
            **self.turns[number].headers,
        }

    def without(self, steps: set[int]) -> Program:
        """Return the program without the steps of these positions in `steps`."""
        numbers = iter(range(len(self.steps)))

        def rest(some: tuple[Step, ...]) -> tuple[Step, ...]:
            return tuple(step for step in some if next(numbers) not in steps)

        return replace(
            self,
            init=rest(self.init),
            turns=tuple(replace(turn, steps=rest(turn.steps)) for turn in self.turns),
            last=rest(self.last),
        )

    def to_json(self) -> str:
        """Return the program as one line."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Program:
        """Return the program of a line."""
        data = json.loads(text)
        for name in ("init", "last"):
            data[name] = tuple(Step(**step) for step in data[name])
        data["turns"] = tuple(
            Turn(**{**turn, "steps": tuple(Step(**step) for step in turn["steps"])})
            for turn in data["turns"]
        )
        return cls(**data)

    def __str__(self) -> str:
        lines = [f"# seed {self.seed}, settings {self.settings}"]
        lines += [
            f"# request {number:02}: {turn.event!r} {turn.headers or ''}".rstrip()
            for number, turn in enumerate(self.turns)
        ]
        lines += [f"# --- {name}\n{text}" for name, text in self.files.items()]
        return "\n".join(lines)


def _function(number: int, turn: Turn) -> str:
    body = "".join(step.text for step in turn.steps)
    declared = "".join(f"{name}\n" for name in dict.fromkeys(_GLOBAL.findall(body)))
    body = declared + (_GLOBAL.sub("", body) or "pass\n")
    return f"def turn_{number:02}(event, context):\n{textwrap.indent(body, '    ')}"
